//! The headers of all receipts of one kind, kept in one file so that most receipts need not be
//! opened.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::journal;
use crate::store::RECEIPT;
use crate::{Error, Subject, hint, trust};

/// So many receipts are opened without such a file.
const FEW: usize = 16;

/// Headers by the name of their folder.
type Index<S> = BTreeMap<String, (Version, S)>;

/// What tells a file from one that takes its place, and from itself before it was written to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Version {
    inode: u64,
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for Version {
    fn from(about: &Metadata) -> Self {
        let (written, changed) = ((about.mtime(), about.mtime_nsec()), (about.ctime(), about.ctime_nsec()));
        Self { inode: about.ino(), size: about.size(), written, changed }
    }
}

/// The headers of the receipts in these folders, as far as they can be read. A header in the index
/// counts while its receipt is the same file.
pub(crate) fn of<S: Subject>(index: &Path, folders: Vec<(String, S::Name, PathBuf)>) -> Vec<S> {
    let is_kept = folders.len() > FEW;
    let mut known: Index<S> = is_kept.then(|| hint::read(index)).flatten().unwrap_or_default();
    let (mut now, mut is_news, mut headers) = (Index::new(), false, Vec::new());
    for (folder, _, path) in folders {
        let path = path.join(RECEIPT);
        let read = || -> Result<Option<S>, Error> {
            let Some(about) = trust::look(&path)? else { return Ok(None) };
            let version = Version::from(&about);
            let header = match known.remove(&folder) {
                Some((same, header)) if same == version => header,
                _ => {
                    is_news = true;
                    let Some(header) = journal::header(&path)? else { return Ok(None) };
                    header
                }
            };
            now.insert(folder, (version, header.clone()));
            Ok(Some(header))
        };
        headers.extend(read().ok().flatten());
    }
    if is_kept && (is_news || !known.is_empty()) {
        hint::write(index, &now);
    }
    headers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::fs;

    use crate::journal::{self, Receipt};
    use crate::{Header, Namespace, Store, hint};

    fn write(store: &Store, number: usize, bridge: &str) {
        let (network, bridge) = (format!("n{number}").parse().unwrap(), Some(bridge.parse().unwrap()));
        let header =
            Header { network, uuid: None, bridge, namespace: Namespace::new(1, 2), owner: None, awaits_hooks: false };
        journal::write(store, &Receipt::new(header)).unwrap();
    }

    fn bridges(store: &Store) -> Vec<String> {
        let headers = store.headers::<Header>().unwrap();
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
