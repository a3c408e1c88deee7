//! `vnet edit`, with scripts as the editor.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::kept::says;
use crate::{DEFAULT, json, run, scratch, shown, text, vnet, vnet_with};

const KEPT: &str = "/etc/vnet/networks/default.xml";

/// `vnet edit default` with an editor, and a folder for its files.
fn edit(folder: &Path, editor: &str, more: &[&str]) -> Output {
    let mut command = Command::new(vnet());
    command.args(["net-edit", "default"]).args(more).env("TMPDIR", folder);
    run(command.env("VISUAL", editor).env("EDITOR", "false"), b"")
}

fn defined(name: &str) -> PathBuf {
    let output = vnet_with(&["define", "-"], DEFAULT.as_bytes());
    assert!(output.status.success(), "{}", shown(&output));
    scratch(name)
}

/// The files that were left.
fn left(folder: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())).collect()
}

#[test]
fn an_edited_definition_is_kept() {
    vnet_tests::isolate!();
    let folder = defined("edit");
    says(&["start", "default"], "started");
    let before = fs::read_to_string(KEPT).unwrap();
    let output = edit(&folder, "true", &[]);
    assert_eq!(text(&output.stdout), "network default not changed\n", "{}", shown(&output));
    assert_eq!(fs::read_to_string(KEPT).unwrap(), before);
    // The variable may hold arguments. The file and its folder are the user's alone.
    let output = edit(&folder, "stat -c %a:%U -- $TMPDIR/*/ && sed -i s/192.168.122.254/192.168.122.200/", &[]);
    let stdout = text(&output.stdout);
    assert!(output.status.success() && stdout.starts_with("700:"), "{}", shown(&output));
    assert!(stdout.ends_with("network default edited\n"), "{}", shown(&output));
    assert!(says(&["dumpxml", "default", "--inactive"], "<network").contains("192.168.122.200"));
    assert!(says(&["dumpxml", "default"], "<network").contains("192.168.122.254"), "what runs is not touched");
    assert!(left(&folder).is_empty(), "nothing is left");
    // A definition that cannot be used is mended.
    fs::write(KEPT, before.replace("</network>", "")).unwrap();
    let output = edit(&folder, "sh -c 'echo \"</network>\" >>$0'", &["--format", "json"]);
    assert_eq!((output.status.code(), &json(&output)["changed"]), (Some(0), &true.into()), "{}", shown(&output));
    assert_eq!(fs::read_to_string(KEPT).unwrap(), before);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_refused_text_is_not_lost() {
    vnet_tests::isolate!();
    let folder = defined("refused");
    let before = fs::read_to_string(KEPT).unwrap();
    let uuid = says(&["uuid", "default"], "");
    let other = format!("sed -i s/{}/3a1f8a2c-0000-4000-8000-000000000001/", uuid.trim());
    for (editor, told) in [
        ("sed -i s/122.254/99.254/", "default.xml:"),
        ("sed -i s/.network.$/x/", "default.xml:"),
        ("sed -i 's/.name.default/<name>other/'", "cannot be changed to `other`"),
        (&other, "leave `<uuid>` out"),
    ] {
        let output = edit(&folder, &format!("{editor} --"), &[]);
        assert!(output.status.code() == Some(1), "{editor}: {}", shown(&output));
        let (stderr, files) = (text(&output.stderr), left(&folder));
        assert_eq!(files.len(), 1, "{files:?}");
        assert!(stderr.contains(told) && stderr.contains(files[0].to_str().unwrap()), "{editor}: {stderr}");
        assert_ne!(fs::read_to_string(&files[0]).unwrap(), before);
        assert_eq!(fs::metadata(&files[0]).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_to_string(KEPT).unwrap(), before);
        fs::remove_dir_all(files[0].parent().unwrap()).unwrap();
    }
    // An editor that fails, after it has changed the text, or that does not exist.
    let output = edit(&folder, "sh -c 'echo >>$0; exit 3'", &[]);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("status: 3"), "{}", shown(&output));
    assert_eq!(left(&folder).len(), 1);
    let output = edit(&folder, "/nonexistent/editor", &[]);
    assert!(text(&output.stderr).contains("$VISUAL and $EDITOR name another"), "{}", shown(&output));
    assert_eq!(left(&folder).len(), 1);
    assert_eq!(fs::read_to_string(KEPT).unwrap(), before);
    fs::remove_dir_all(folder).unwrap();
}

/// `vnet edit default` on a terminal, with what is typed there. Returns the exit code and what the
/// terminal shows.
fn typed(folder: &Path, editor: &str, answers: &str) -> (Option<i32>, String) {
    let mut terminal = Command::new("script");
    let edit = format!("{} edit default", vnet().display());
    terminal.args(["--quiet", "--return", "--command", &edit, "/dev/null"]);
    let output = run(terminal.env("TMPDIR", folder).env("VISUAL", editor), answers.as_bytes());
    (output.status.code(), text(&output.stdout))
}

#[test]
fn a_terminal_is_asked_whether_to_edit_again() {
    const QUESTION: &str = "Edit it again, or keep nothing? [Y/n] ";
    vnet_tests::isolate!();
    let folder = defined("terminal");
    let before = fs::read_to_string(KEPT).unwrap();
    // Nobody answers, or somebody says no: the text is not lost.
    for answers in ["", "n\n", "what\nNo\n"] {
        let (code, said) = typed(&folder, "sed -i s/122.254/99.254/", answers);
        assert_eq!(code, Some(1), "{said}");
        assert_eq!(said.matches(QUESTION).count(), answers.lines().count().max(1), "{answers:?}: {said}");
        let files = left(&folder);
        assert!(said.contains(files[0].to_str().unwrap()), "{said}");
        assert!(fs::read_to_string(&files[0]).unwrap().contains("192.168.99.254"), "{said}");
        fs::remove_dir_all(files[0].parent().unwrap()).unwrap();
        assert_eq!(fs::read_to_string(KEPT).unwrap(), before);
    }
    // The editor gets the text as it was left: another run makes .254 of the other subnet .200.
    let editor = "sed -i -e s/99.254/122.200/ -e t -e s/122.254/99.254/";
    for answers in ["\n", "y\n"] {
        let (code, said) = typed(&folder, editor, answers);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.matches(QUESTION).count(), 1, "{said}");
        assert!(said.contains("network default edited"), "{said}");
        assert!(fs::read_to_string(KEPT).unwrap().contains("192.168.122.200"), "{said}");
        assert!(left(&folder).is_empty(), "{said}");
        fs::write(KEPT, &before).unwrap();
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn somebody_elses_change_is_noticed() {
    vnet_tests::isolate!();
    let folder = defined("meanwhile");
    let vnet = vnet();
    let update = "net-update default add dns-txt \"<txt name='a' value='b'/>\" --config >&2";
    let editor = folder.with_extension("sh");
    fs::write(&editor, format!("sed -i s/122.254/122.200/ $1\n{} {update}\n", vnet.display())).unwrap();
    let output = edit(&folder, &format!("sh {}", editor.display()), &[]);
    let stderr = text(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.contains("by somebody else meanwhile"), "{}", shown(&output));
    let kept = fs::read_to_string(KEPT).unwrap();
    assert!(kept.contains("<txt") && kept.contains("122.254"), "{kept}");
    assert!(fs::read_to_string(&left(&folder)[0]).unwrap().contains("122.200"));
    fs::remove_dir_all(folder).unwrap();
    fs::remove_file(editor).unwrap();
}
