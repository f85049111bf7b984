//! Which of the distribution's packages make a toolchain for kernels.

use std::collections::BTreeSet;

use super::super::debian::{Apt, FetchError};
use super::clang::OLDEST;

/// Compiler and library source, the newest first: Debian keeps `rustc-web` newer than its own
/// release's `rustc`, for building web browsers.
const COMPILERS: [[&str; 2]; 2] = [["rustc-web", "rust-web-src"], ["rustc", "rust-src"]];

/// Dependencies that are unpacked too. All others (libc, gcc) are the host's.
const LIBRARIES: [&str; 3] = ["libstd-rust", "libllvm", "libclang"];

/// The packages to unpack, or `None` when the distribution has no Rust compiler.
pub(super) fn rust_packages(apt: &Apt) -> Result<Option<BTreeSet<String>>, FetchError> {
    let Some(mut roots) = compiler(apt)? else { return Ok(None) };
    roots.extend(newest_libclang(apt)?);
    with_libraries(apt, roots).map(Some)
}

/// The packages of the newest clang with its linker and binary utilities, or `None` when the
/// distribution has none that is new enough.
pub(super) fn clang_packages(apt: &Apt) -> Result<Option<BTreeSet<String>>, FetchError> {
    let names = apt.names("^clang-[0-9]+$")?;
    let newest = names.iter().filter_map(|name| number(name)).max();
    let Some(newest) = newest.filter(|newest| *newest >= OLDEST) else { return Ok(None) };
    let roots = ["clang", "lld", "llvm"].map(|name| format!("{name}-{newest}"));
    with_libraries(apt, roots.to_vec()).map(Some)
}

fn compiler(apt: &Apt) -> Result<Option<Vec<String>>, FetchError> {
    for names in COMPILERS {
        if apt.field(names[0], "Version")?.is_some() && apt.field(names[1], "Version")?.is_some() {
            return Ok(Some(names.map(String::from).to_vec()));
        }
    }
    Ok(None)
}

/// bindgen reads C headers with libclang, and older ones do not know newer C.
fn newest_libclang(apt: &Apt) -> Result<Option<String>, FetchError> {
    let names = apt.names("^libclang1-[0-9]+$")?;
    Ok(names.into_iter().max_by_key(|name| number(name)))
}

/// The number at the end of `libclang1-19`.
pub(super) fn number(name: &str) -> Option<u32> {
    name.rsplit('-').next()?.parse().ok()
}

fn with_libraries(apt: &Apt, roots: Vec<String>) -> Result<BTreeSet<String>, FetchError> {
    let mut found = BTreeSet::new();
    let mut todo = roots;
    while let Some(name) = todo.pop() {
        if !found.contains(&name) {
            todo.extend(libraries(&apt.field(&name, "Depends")?.unwrap_or_default()));
            found.insert(name);
        }
    }
    Ok(found)
}

/// The packages in a `Depends` field that are unpacked too.
fn libraries(depends: &str) -> impl Iterator<Item = String> {
    let names = depends.split(',').filter_map(|alternatives| {
        alternatives.split_whitespace().next().map(|name| name.split(':').next().unwrap_or(name))
    });
    names.filter(|name| LIBRARIES.iter().any(|prefix| name.starts_with(prefix))).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_compiler_s_own_libraries_are_followed() {
        let depends =
            "libc6 (>= 2.34), libllvm22 (>= 1:22~), libstd-rust-web-1.96 (= 1.96.0), gcc | clang";
        assert_eq!(libraries(depends).collect::<Vec<_>>(), ["libllvm22", "libstd-rust-web-1.96"]);
    }

    #[test]
    fn the_highest_libclang_is_the_newest() {
        let newest =
            ["libclang1-9", "libclang1-19", "libclang1-14"].into_iter().max_by_key(|n| number(n));
        assert_eq!(newest, Some("libclang1-19"));
    }
}
