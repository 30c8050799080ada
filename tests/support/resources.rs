//! Test resources of dependencies: files that nobody here wrote, found where cargo put them.

use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;

/// The files below the folder `resources` of a package that are wanted, in a stable order.
pub fn files(package: &str, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .expect("cargo metadata");
    let found = metadata.packages.iter().find(|found| *found.name == package);
    let manifest = &found.expect("a dependency of this package").manifest_path;
    let mut folders = vec![manifest.with_file_name("resources").into_std_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of resources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if wanted(&path) {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "{package} has none of these resources any more");
    files.sort();
    files
}

pub fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}
