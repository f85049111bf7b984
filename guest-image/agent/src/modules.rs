//! Loading and unloading kernel modules.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File};

use agent_protocol::{Failure, layout};
use rustix::io::Errno;
use rustix::system::{delete_module, finit_module};

use crate::failure::{Context, failure};

/// `O_NONBLOCK` for `delete_module(2)`: fail when the module is in use instead of waiting.
const NO_WAIT: i32 = 0o4000;

/// Loads the modules that [`layout::BOOT_MODULES`] lists; gives what went wrong, a line each.
pub fn load_for_boot() -> Vec<String> {
    let list = fs::read_to_string(layout::BOOT_MODULES).unwrap_or_default();
    list.lines()
        .filter(|line| !line.is_empty())
        .filter_map(|path| insert_unless_there(path).err())
        .map(|failure| failure.message)
        .collect()
}

/// Loads a module of the image by name, what it depends on first.
pub fn load(module: &str, params: &BTreeMap<String, String>) -> Result<(), Failure> {
    let files = files_of(module)?;
    let Some((file, needed)) = files.split_last() else {
        return built_in(module, params);
    };
    for needed in needed {
        insert_unless_there(needed)?;
    }
    insert(file, &parameters(params)?)
}

/// As modprobe(8) does: what is built in counts as loaded.
fn built_in(module: &str, params: &BTreeMap<String, String>) -> Result<(), Failure> {
    if params.is_empty() {
        return Ok(());
    }
    Err(failure(format!(
        "{module} is built into this kernel: its parameters go on the kernel command line, as \
         {module}.NAME=VALUE"
    )))
}

/// Unloads a module.
pub fn unload(module: &str) -> Result<(), Failure> {
    let name = c_string(&layout::module_key(module))?;
    delete_module(&name, NO_WAIT).map_err(|errno| {
        let hint = match errno {
            Errno::NOENT => "it is not loaded",
            Errno::BUSY => "its init or exit has not ended, or it cannot be unloaded",
            Errno::AGAIN => "it is in use (/sys/module/NAME/refcnt, holders)",
            _ => "see the console",
        };
        refused("unload", module, errno, hint)
    })
}

fn files_of(module: &str) -> Result<Vec<String>, Failure> {
    let text = fs::read(layout::MODULE_INDEX)
        .context(|| format!("the image has no modules: {}", layout::MODULE_INDEX))?;
    let mut index: layout::ModuleIndex = serde_json::from_slice(&text)
        .map_err(|error| failure(format!("{}: {error}", layout::MODULE_INDEX)))?;
    index.remove(&layout::module_key(module)).ok_or_else(|| {
        let known: Vec<&String> = index.keys().collect();
        failure(format!("no module {module} in the image; it has {known:?}"))
    })
}

/// `a=1 b="two words"`: the kernel takes double quotes around values (kernel/params.c, next_arg).
fn parameters(params: &BTreeMap<String, String>) -> Result<CString, Failure> {
    let mut words = Vec::new();
    for (name, value) in params {
        if value.contains('"') || name.contains([' ', '=', '"']) {
            return Err(failure(format!("parameter {name:?}={value:?} cannot be quoted")));
        }
        words.push(if value.contains(char::is_whitespace) {
            format!("{name}=\"{value}\"")
        } else {
            format!("{name}={value}")
        });
    }
    c_string(&words.join(" "))
}

fn insert_unless_there(path: &str) -> Result<(), Failure> {
    match insert(path, c"") {
        Err(failure) if failure.errno == Some(Errno::EXIST.raw_os_error()) => Ok(()),
        result => result,
    }
}

fn insert(path: &str, params: &std::ffi::CStr) -> Result<(), Failure> {
    let file = File::open(path).context(|| format!("cannot open module {path}"))?;
    finit_module(&file, params, 0).map_err(|errno| refused("load", path, errno, why(errno)))
}

fn refused(what: &str, module: &str, errno: Errno, hint: &str) -> Failure {
    let error = std::io::Error::from(errno);
    Failure {
        message: format!("cannot {what} {module}: {error}: {hint}"),
        errno: Some(errno.raw_os_error()),
    }
}

/// What the loader means by its errors (kernel/module/main.c).
fn why(errno: Errno) -> &'static str {
    match errno {
        Errno::EXIST => "it is loaded already",
        Errno::NOEXEC => {
            "not a module for this kernel (vermagic, architecture, ELF); the console says which"
        }
        Errno::NOENT => "a symbol or a parameter that it names is unknown; the console says which",
        Errno::INVAL => "it, or the value of a parameter, was refused; the console may say why",
        Errno::NOMEM => "no memory for it",
        Errno::PERM => "loading is switched off (kernel.modules_disabled, lockdown)",
        Errno::KEYREJECTED => "the kernel takes signed modules only (module.sig_enforce)",
        Errno::BUSY => "its symbols are being loaded or unloaded",
        _ => "its own init returned this, or see the console",
    }
}

fn c_string(text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| failure(format!("{text:?} holds a zero byte")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_quoted_where_the_kernel_needs_it() {
        let params = BTreeMap::from([
            ("pages".to_owned(), "4".to_owned()),
            ("words".to_owned(), "two words".to_owned()),
        ]);
        assert_eq!(parameters(&params).unwrap().as_c_str(), c"pages=4 words=\"two words\"");
    }

    #[test]
    fn what_is_built_in_takes_no_parameters() {
        assert_eq!(built_in("loop", &BTreeMap::new()), Ok(()));
        let params = BTreeMap::from([("max_loop".to_owned(), "4".to_owned())]);
        assert!(built_in("loop", &params).unwrap_err().message.contains("command line"));
    }

    #[test]
    fn a_parameter_that_cannot_be_quoted_is_refused() {
        let params = BTreeMap::from([("a".to_owned(), "\"".to_owned())]);
        assert!(parameters(&params).unwrap_err().message.contains("quoted"));
    }
}
