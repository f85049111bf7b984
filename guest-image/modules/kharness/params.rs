// SPDX-License-Identifier: GPL-2.0

//! The parameters that every suite has. `module!` knows integers only and makes them for one
//! module; these are made here, once, as it would make them.

use core::cell::UnsafeCell;
use kernel::bindings;
use kernel::ffi::c_char;
use kernel::module_param::{KernelParam, ModuleParamAccess, PARAM_OPS_BOOL, PARAM_OPS_U32, PARAM_OPS_U64};
use kernel::prelude::*;

/// A text that the loader fills in (`param_ops_charp`).
struct Text(UnsafeCell<*mut c_char>);

// SAFETY: written by the loader before the module's init runs, and read only from then on.
unsafe impl Sync for Text {}

static TEST: Text = Text(UnsafeCell::new(core::ptr::null_mut()));
static SEED: ModuleParamAccess<u64> = ModuleParamAccess::new(1);
static REPAIR: ModuleParamAccess<bool> = ModuleParamAccess::new(false);
static BACKGROUND: ModuleParamAccess<bool> = ModuleParamAccess::new(false);
static CHECKPOINT_MS: ModuleParamAccess<u32> = ModuleParamAccess::new(60_000);

/// The test that alone is to run.
pub(crate) fn test() -> Option<&'static str> {
    // SAFETY: see `Text`.
    let text = unsafe { *TEST.0.get() };
    if text.is_null() {
        return None;
    }
    // SAFETY: the loader keeps the string, which ends in a zero, until the module is gone.
    unsafe { CStr::from_char_ptr(text) }.to_str().ok()
}

/// The seed of everything random.
pub(crate) fn seed() -> u64 {
    SEED.value()
}

/// Whether planted bugs are to be left out.
pub(crate) fn repair() -> bool {
    REPAIR.value()
}

/// Whether the tests run in a thread of their own, while the module counts as loaded.
pub(crate) fn background() -> bool {
    BACKGROUND.value()
}

/// How long a checkpoint waits, in milliseconds.
pub(crate) fn checkpoint_ms() -> u32 {
    CHECKPOINT_MS.value()
}

macro_rules! parameter {
    ($static:ident, $name:literal, $type:literal, $what:literal, $ops:expr, $arg:expr) => {
        const _: () = {
            #[link_section = "__param"]
            #[used(compiler)]
            static $static: KernelParam = KernelParam::new(bindings::kernel_param {
                name: kernel::str::as_char_ptr_in_const_context(
                    match CStr::from_bytes_with_nul(concat!($name, "\0").as_bytes()) {
                        Ok(name) => name,
                        Err(_) => panic!("a zero in a name"),
                    },
                ),
                mod_: &raw mut bindings::__this_module,
                ops: $ops,
                perm: 0,
                level: -1,
                flags: 0,
                __bindgen_anon_1: bindings::kernel_param__bindgen_ty_1 { arg: $arg },
            });
        };
        modinfo!("parmtype", $name, $type);
        modinfo!("parm", $name, $what);
    };
}

macro_rules! modinfo {
    ($key:literal, $name:literal, $text:literal) => {
        const _: () = {
            const LINE: &str = concat!($key, "=", $name, ":", $text, "\0");
            #[link_section = ".modinfo"]
            #[used(compiler)]
            static INFO: [u8; LINE.len()] = {
                let mut bytes = [0; LINE.len()];
                let mut at = 0;
                while at < bytes.len() {
                    bytes[at] = LINE.as_bytes()[at];
                    at += 1;
                }
                bytes
            };
        };
    };
}

parameter!(
    PARAM_TEST, "test", "charp", "Run this test alone",
    &raw const bindings::param_ops_charp, TEST.0.get().cast()
);
parameter!(
    PARAM_SEED, "seed", "u64", "Seed of everything random",
    core::ptr::from_ref(&PARAM_OPS_U64), SEED.as_void_ptr()
);
parameter!(
    PARAM_REPAIR, "repair", "bool", "Leave planted bugs out",
    core::ptr::from_ref(&PARAM_OPS_BOOL), REPAIR.as_void_ptr()
);
parameter!(
    PARAM_BACKGROUND, "background", "bool", "Run in a thread, and stop at checkpoints",
    core::ptr::from_ref(&PARAM_OPS_BOOL), BACKGROUND.as_void_ptr()
);
parameter!(
    PARAM_CHECKPOINT_MS, "checkpoint_ms", "u32", "How long a checkpoint waits, in milliseconds",
    core::ptr::from_ref(&PARAM_OPS_U32), CHECKPOINT_MS.as_void_ptr()
);
