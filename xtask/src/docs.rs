//! `cargo xtask docs`: the API documentation, and where its front pages lead.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{self, Outcome, PUBLISHED, cargo};
use crate::tidy::{Tree, front_pages};

/// Builds the documentation of the published crates; a warning is a failure, and so is a link
/// of a front page that leads nowhere.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let docs = shell::target_dir().join("doc");
    // One by one, as docs.rs does it: of a sister only those features are on that the crate asks
    // for. The last two ask for the same.
    let (alone, together) = PUBLISHED.split_at(4);
    for packages in alone.chunks(1).chain([together]) {
        build(
            &docs,
            packages,
            if packages == together { arguments } else { &[] },
        )?;
    }

    let tree = Tree::read(shell::root())?;
    let (mut links, mut broken) = (0, Vec::new());
    for page in front_pages_in(&docs)? {
        let html = read(&page)?;
        for link in links_of(&html) {
            links += 1;
            if let Some(what) = broken_at(&tree, &docs, &page, &html, link) {
                let page = page.strip_prefix(&docs).unwrap_or(&page).display();
                broken.push(format!("{page}: {link}: {what}"));
            }
        }
    }
    if links == 0 {
        return Err(format!("{}: no front page has a link", docs.display()));
    }
    if broken.is_empty() {
        println!("{links} links of front pages lead somewhere");
        return Ok(());
    }
    Err(format!(
        "links of front pages lead nowhere:\n  {}",
        broken.join("\n  ")
    ))
}

fn build(docs: &Path, packages: &[&str], arguments: &[String]) -> Outcome {
    // rustdoc links to a sister if there is a folder of its name.
    for folder in PUBLISHED.iter().map(|name| folder_of(docs, name)) {
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut command = cargo(["doc", "--no-deps", "--all-features", "--lib"]);
    for package in packages {
        command.args(["--package", package]);
    }
    shell::run(
        command
            .args(arguments)
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )
}

fn folder_of(docs: &Path, package: &str) -> PathBuf {
    docs.join(package.replace('-', "_"))
}

/// The pages of crates and of modules.
fn front_pages_in(docs: &Path) -> Result<Vec<PathBuf>, String> {
    let mut folders: Vec<PathBuf> = PUBLISHED.iter().map(|name| folder_of(docs, name)).collect();
    let mut pages = Vec::new();
    while let Some(folder) = folders.pop() {
        let failure = |error: std::io::Error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(failure)? {
            let path = entry.map_err(failure)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("index.html") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    Ok(pages)
}

/// What the links of the middle of a page lead to.
fn links_of(html: &str) -> impl Iterator<Item = &str> {
    let middle = html
        .split("<section id=\"main-content\"")
        .nth(1)
        .unwrap_or_default();
    let links = middle
        .split(" href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    links.filter(|link| *link != "#")
}

/// What is wrong with a link. Of addresses elsewhere on the web nothing is known here.
fn broken_at(tree: &Tree, docs: &Path, page: &Path, html: &str, link: &str) -> Option<String> {
    if let Some(package) = link.strip_prefix("https://docs.rs/lattice-") {
        return at_docs_rs(docs, package);
    }
    if link.contains("://") {
        let missing = front_pages::missing(tree, link)?;
        return Some(format!("there is no {missing} in this repository"));
    }
    let (file, id) = link.split_once('#').unwrap_or((link, ""));
    if file.is_empty() {
        return without(html, id);
    }
    at(&page.parent()?.join(file), id)
}

/// `presence/latest/lattice_presence/rules/index.html#s1`, as docs.rs will have it.
fn at_docs_rs(docs: &Path, address: &str) -> Option<String> {
    let (name, below) = address.split_once('/').unwrap_or((address, ""));
    if !PUBLISHED.contains(&&*format!("lattice-{name}")) {
        return Some(format!("no crate lattice-{name} is published"));
    }
    let (_, path) = below.split_once('/')?;
    let (file, id) = path.split_once('#').unwrap_or((path, ""));
    let file = docs.join(file);
    let page = file.join("index.html");
    at(if file.is_dir() { &page } else { &file }, id)
}

/// What is wrong with a page, and with a place on it.
fn at(page: &Path, id: &str) -> Option<String> {
    let html = match read(page) {
        Ok(html) => html,
        Err(failure) => return Some(failure),
    };
    // Of a private module there is a page that sends the reader on.
    let on = html.split("http-equiv=\"refresh\" content=\"0;URL=").nth(1);
    match on.and_then(|rest| rest.split('"').next()) {
        Some(target) => at(&page.parent()?.join(target), id),
        None => without(&html, id),
    }
}

fn without(html: &str, id: &str) -> Option<String> {
    // Of a page of source code, lines are not written out.
    let is_line = id.starts_with(|c: char| c.is_ascii_digit());
    let is_there = id.is_empty() || is_line || html.contains(&format!(" id=\"{id}\""));
    (!is_there).then(|| format!("nothing there is called {id}"))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_those_of_the_middle() {
        let html = "<a href=\"x\"><section id=\"main-content\"><a href=\"#\"><a class=\"y\" href=\"../z#a\">";
        assert_eq!(links_of(html).collect::<Vec<_>>(), ["../z#a"]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_told() {
        let docs = std::env::temp_dir().join(format!("lattice-docs-{}", std::process::id()));
        let folder = docs.join("lattice_presence/rules");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("index.html"), "<h2 id=\"s1\">").unwrap();
        let moved = "<meta http-equiv=\"refresh\" content=\"0;URL=rules/index.html\">";
        fs::write(docs.join("lattice_presence/moved.html"), moved).unwrap();
        let tree = Tree::from([("docs/sync.md", "# X\n")]);
        let page = docs.join("lattice_presence/index.html");
        let broken = |link: &str| broken_at(&tree, &docs, &page, "<h1 id=\"here\">", link);
        let repository = "https://github.com/lattice-presence/lattice-presence/blob/main/";
        for good in [
            "#here",
            "rules/index.html",
            "rules/index.html#s1",
            "moved.html#s1",
            "https://example.org/x",
            "https://docs.rs/lattice-presence",
            "https://docs.rs/lattice-presence/latest/lattice_presence/rules/index.html#s1",
            &format!("{repository}docs/sync.md#x"),
        ] {
            assert_eq!(broken(good), None, "{good}");
        }
        for bad in [
            "#there",
            "rules/index.html#s2",
            "moved.html#s2",
            "../docs/sync.md",
            "https://docs.rs/lattice-presents",
            "https://docs.rs/lattice-presence/latest/lattice_presence/rule/index.html",
            "https://docs.rs/lattice-presence/latest/lattice_presence/rules/index.html#s2",
            &format!("{repository}docs/sync.md#y"),
            &format!("{repository}docs/gone.md"),
        ] {
            assert!(broken(bad).is_some(), "{bad}");
        }
        fs::remove_dir_all(&docs).unwrap();
    }
}
