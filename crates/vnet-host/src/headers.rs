//! The headers of all receipts of one kind, kept in one file so that most receipts need not be
//! opened.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::journal;
use crate::store::RECEIPT;
use crate::understood::Version;
use crate::{Error, Subject, Understood, hint, trust};

/// So many receipts are opened without such a file.
const FEW: usize = 16;

/// Headers by the name of their folder.
type Index<S> = BTreeMap<String, (Version, S)>;

/// The headers of the receipts in these folders, as far as they can be read: as they are
/// remembered, from the index, or from the receipt. One that was read before counts while its
/// receipt is the same file.
pub(crate) fn of<S: Subject>(index: &Path, memory: &Understood<S>, folders: Vec<(String, S::Name, PathBuf)>) -> Vec<S> {
    let is_kept = folders.len() > FEW;
    let known: OnceCell<Index<S>> = OnceCell::new();
    let (mut now, mut is_news) = (Index::new(), false);
    for (folder, _, path) in folders {
        let path = path.join(RECEIPT);
        let mut read = || -> Result<Option<(Version, S)>, Error> {
            let Some(about) = trust::look(&path)? else { return Ok(None) };
            let version = Version::from(&about);
            let header = memory.of(&path, Some(&about), || {
                let known = known.get_or_init(|| is_kept.then(|| hint::read(index)).flatten().unwrap_or_default());
                match known.get(&folder).filter(|(same, _)| *same == version) {
                    Some((_, header)) => Ok(Some(header.clone())),
                    None => {
                        is_news = true;
                        journal::header(&path)
                    }
                }
            })?;
            Ok(header.map(|header| (version, header)))
        };
        if let Ok(Some(header)) = read() {
            now.insert(folder, header);
        }
    }
    let is_old = |known: &Index<S>| known.keys().any(|folder| !now.contains_key(folder));
    if is_kept && (is_news || known.get().is_some_and(is_old)) {
        hint::write(index, &now);
    }
    now.into_values().map(|(_, header)| header).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::fs;

    use crate::journal::{self, Receipt};
    use crate::{Header, Namespace, Store, hint};

    fn write(store: &Store, number: usize, bridge: &str) {
        let (network, bridge) = (format!("n{number}").parse().unwrap(), Some(bridge.parse().unwrap()));
        let header = Header {
            network,
            uuid: None,
            bridge,
            namespace: Namespace::new(1, 2),
            owner: None,
            awaits_hooks: false,
            of_libvirt: false,
        };
        journal::write(store, &Receipt::new(header)).unwrap();
    }

    /// What another process reads, which remembers nothing.
    fn bridges(store: &Store) -> Vec<String> {
        let headers = Store::new(store.root()).headers::<Header>().unwrap();
        headers.into_iter().map(|header| header.bridge.unwrap().to_string()).collect()
    }

    /// Whatever the file of headers says, receipts decide.
    #[test]
    fn headers_are_those_of_the_receipts() {
        let root = std::env::temp_dir().join(format!("vnet-headers-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let (store, kept) = (Store::new(&root), root.join(hint::NETWORKS));
        (10..40).for_each(|number| write(&store, number, &format!("b{number}")));
        let mut expected: Vec<String> = (10..40).map(|number| format!("b{number}")).collect();
        assert_eq!(bridges(&store), expected);
        let whole = fs::read(&kept).unwrap();
        write(&store, 10, "c10");
        store.remove::<Header>(&"n39".parse().unwrap()).unwrap();
        write(&store, 40, "b40");
        expected[0] = "c10".to_owned();
        expected[29] = "b40".to_owned();
        for old in [whole.clone(), whole[..whole.len() / 2].to_vec(), b"{}".to_vec(), Vec::new()] {
            fs::write(&kept, &old).unwrap();
            assert_eq!(bridges(&store), expected);
            assert_ne!(fs::read(&kept).unwrap(), old, "it is written anew");
            assert_eq!(bridges(&store), expected);
        }
        fs::remove_dir_all(root).unwrap();
    }
}
