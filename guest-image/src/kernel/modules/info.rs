//! The `.modinfo` section of a module: what it says of itself.
//!
//! NUL-terminated `key=value` strings (the kernel's include/linux/moduleparam.h, `MODULE_INFO`).
//! `depends` is written by scripts/mod/modpost.c; the form of `softdep` is that of modprobe.d(5).

use std::path::Path;

use object::{Object, ObjectSection};

use super::ModuleError;

/// What a module says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModInfo {
    /// Modules whose symbols it uses.
    pub depends: Vec<String>,
    /// Modules that it wants loaded before it, if they are there.
    pub softdeps: Vec<String>,
    /// The kernel it is built for: release and the options that matter to its layout.
    pub vermagic: String,
    /// Whether it is a suite of tests, with the parameters of the support crate.
    pub is_suite: bool,
    /// Its parameters: name and description.
    pub parameters: Vec<(String, String)>,
}

impl ModInfo {
    /// Reads the section in `module`, an uncompressed module; `path` is for errors.
    ///
    /// # Errors
    /// When the bytes are no ELF file with such a section.
    pub fn read(path: &Path, module: &[u8]) -> Result<Self, ModuleError> {
        let wrong = |what: String| ModuleError::NotAModule { path: path.into(), what };
        let elf = object::File::parse(module).map_err(|e| wrong(e.to_string()))?;
        let section = elf
            .section_by_name(".modinfo")
            .ok_or_else(|| wrong("it has no .modinfo section".into()))?;
        let data = section.data().map_err(|e| wrong(e.to_string()))?;
        Ok(Self::parse(data))
    }

    fn parse(section: &[u8]) -> Self {
        let mut info = Self::default();
        let strings = section.split(|b| *b == 0).map(String::from_utf8_lossy);
        for string in strings {
            if let Some((key, value)) = string.split_once('=') {
                info.add(key, value);
            }
        }
        info
    }

    fn add(&mut self, key: &str, value: &str) {
        match key {
            "depends" => {
                self.depends.extend(value.split(',').filter(|name| !name.is_empty()).map(canonical))
            }
            "softdep" => self.softdeps.extend(before(value).map(canonical)),
            "kharness" => self.is_suite = true,
            "vermagic" => self.vermagic = value.into(),
            "parm" => self
                .parameters
                .extend(value.split_once(':').map(|(name, text)| (name.into(), text.into()))),
            _ => {}
        }
    }
}

/// The names after `pre:` in a softdep, up to `post:`.
fn before(softdep: &str) -> impl Iterator<Item = &str> {
    let mut pre = false;
    softdep.split_ascii_whitespace().filter(move |word| {
        if word.ends_with(':') {
            pre = *word == "pre:";
            return false;
        }
        pre
    })
}

/// A module's name as the kernel has it: `-` and `_` are the same.
pub(super) fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_soft_ones_and_parameters_are_read() {
        let info = ModInfo::parse(
            b"license=GPL\0depends=virtio,virtio-ring\0softdep=pre: crc32c a post: b pre: c\0\
              parm=count:How many\0vermagic=6.1.0 SMP mod_unload \0\0\0nonsense\0",
        );
        assert_eq!(info.depends, ["virtio", "virtio_ring"]);
        assert_eq!(info.softdeps, ["crc32c", "a", "c"]);
        assert_eq!(info.parameters, [("count".into(), "How many".into())]);
        assert_eq!(info.vermagic, "6.1.0 SMP mod_unload ");
    }

    #[test]
    fn a_module_that_depends_on_nothing_has_an_empty_list() {
        assert_eq!(ModInfo::parse(b"depends=\0").depends, Vec::<String>::new());
    }

    #[test]
    fn what_is_no_module_is_refused() {
        for bytes in [
            b"".as_slice(),
            b"\x7fELF",
            b"text",
            &std::fs::read(std::env::current_exe().unwrap()).unwrap(),
        ] {
            let error = ModInfo::read(Path::new("x.ko"), bytes).unwrap_err();
            assert!(matches!(error, ModuleError::NotAModule { .. }), "{error}");
        }
    }
}
