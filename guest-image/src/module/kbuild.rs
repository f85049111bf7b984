//! The build file of a Rust module (the kernel's Documentation/kbuild/modules.rst).
//!
//! It lies in a directory of its own and names the sources where they are: nothing is written beside
//! a module's source, and compilers name its file as its author does.

use std::path::Path;

use super::ModuleBuildError;
use super::source::{Kind, ModuleSource};

/// Characters that mean something to make.
const SPECIAL: [char; 6] = ['$', '#', ':', '%', '\\', ';'];

/// The text of the build file of `source`, with the support crate in `support`.
pub(super) fn text(source: &ModuleSource, support: &Path) -> Result<String, ModuleBuildError> {
    let Kind::Rust { c_files, support: supported } = &source.kind else {
        return Ok(String::new());
    };
    let (name, dir) = (&source.name, plain(&source.dir)?);
    let c_objects: Vec<String> = c_files.iter().map(|stem| format!("c_{stem}.o")).collect();
    let mut objects = c_objects.clone();
    objects.push(format!("{name}_main.o"));
    let mut text = String::new();
    let mut main = String::new();
    if *supported {
        objects.extend(["kharness.o".into(), "kharness_shim.o".into()]);
        main.push_str(&use_support(name));
        text.push_str(&support_rules(plain(support)?));
    }
    let objects = objects.join(" ");
    Ok(format!(
        "obj-m := {name}.o\n\
         {name}-y := {objects}\n\
         targets += {objects}\n\
         ccflags-y += -I{dir}\n\
         {text}\
         {main}\
         $(obj)/{name}_main.o: {dir}/{name}.rs {prerequisite} FORCE\n\
         \t+$(call if_changed_rule,rustc_o_rs)\n\
         $(obj)/c_%.o: {dir}/%.c FORCE\n\
         \t$(call if_changed_rule,cc_o_c)\n",
        prerequisite = if *supported { "$(obj)/kharness.o" } else { "" },
    ))
}

fn use_support(name: &str) -> String {
    format!(
        "$(obj)/{name}_main.o: private rustflags-y += \
         --extern kharness=$(obj)/libkharness.rmeta\n"
    )
}

/// The object and the metadata come of one run of the compiler.
fn support_rules(dir: &str) -> String {
    format!(
        "quiet_cmd_kharness = RUSTC [M] $@\n\
         \x20     cmd_kharness = $(rust_common_cmd) --crate-name kharness --emit=obj=$@ \
         --emit=metadata=$(obj)/libkharness.rmeta $< $(cmd_objtool)\n\
         $(obj)/kharness.o: {dir}/lib.rs FORCE\n\
         \t+$(call if_changed_dep,kharness)\n\
         $(obj)/kharness_shim.o: {dir}/shim.c FORCE\n\
         \t$(call if_changed_rule,cc_o_c)\n"
    )
}

/// `path`, if make can take it.
pub(super) fn plain(path: &Path) -> Result<&str, ModuleBuildError> {
    path.to_str()
        .filter(|text| !text.contains(|c: char| c.is_whitespace() || SPECIAL.contains(&c)))
        .ok_or_else(|| ModuleBuildError::Path { path: path.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(c_files: &[&str], support: bool) -> ModuleSource {
        let c_files = c_files.iter().map(ToString::to_string).collect();
        let kind = Kind::Rust { c_files, support };
        ModuleSource { name: "kh_x".into(), dir: "/src/kh_x".into(), kind }
    }

    #[test]
    fn the_sources_are_named_where_they_are() {
        let text = text(&rust(&["half"], true), Path::new("/support")).unwrap();
        assert!(
            text.contains("kh_x-y := c_half.o kh_x_main.o kharness.o kharness_shim.o"),
            "{text}"
        );
        assert!(text.contains("/src/kh_x/kh_x.rs $(obj)/kharness.o FORCE"), "{text}");
    }

    #[test]
    fn a_module_without_the_support_crate_is_built_without_it() {
        let text = text(&rust(&[], false), Path::new("/support")).unwrap();
        assert!(!text.contains("kharness"), "{text}");
    }

    #[test]
    fn a_path_that_make_would_tear_apart_is_refused() {
        let mut source = rust(&[], false);
        source.dir = "/my modules/kh_x".into();
        let error = text(&source, Path::new("/support")).unwrap_err();
        assert!(matches!(error, ModuleBuildError::Path { .. }), "{error}");
    }
}
