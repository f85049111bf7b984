//! The order in which modules must be loaded: each after all that it depends on.

use super::ModuleError;

/// Where a walk through the graph of modules learns what a module needs.
pub(super) trait Graph {
    /// The modules that must be loaded before `name`.
    fn needs(&mut self, name: &str) -> Result<Vec<String>, ModuleError>;
}

/// The modules to load for `wanted`: these and all that they need, each once, needs first.
pub(super) fn load_order(
    graph: &mut dyn Graph,
    wanted: &[String],
) -> Result<Vec<String>, ModuleError> {
    let mut walk = Walk { graph, path: Vec::new(), done: Vec::new() };
    for name in wanted {
        walk.visit(name)?;
    }
    Ok(walk.done)
}

struct Walk<'a> {
    graph: &'a mut dyn Graph,
    /// From a wanted module down to the one being visited. Real chains are a dozen long; a circle
    /// ends the recursion.
    path: Vec<String>,
    done: Vec<String>,
}

impl Walk<'_> {
    fn visit(&mut self, name: &str) -> Result<(), ModuleError> {
        if self.done.iter().any(|done| done == name) {
            return Ok(());
        }
        if let Some(start) = self.path.iter().position(|seen| seen == name) {
            let names = self.path[start..].iter().cloned().chain([name.into()]).collect();
            return Err(ModuleError::Circle { names });
        }
        self.path.push(name.into());
        for need in self.graph.needs(name)? {
            self.visit(&need)?;
        }
        self.path.pop();
        self.done.push(name.into());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(&'static [(&'static str, &'static [&'static str])]);

    impl Graph for Fixed {
        fn needs(&mut self, name: &str) -> Result<Vec<String>, ModuleError> {
            let needs = self.0.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, needs)| needs);
            Ok(needs.iter().map(ToString::to_string).collect())
        }
    }

    fn order(
        graph: &'static [(&str, &[&str])],
        wanted: &[&str],
    ) -> Result<Vec<String>, ModuleError> {
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        load_order(&mut Fixed(graph), &wanted)
    }

    #[test]
    fn what_is_needed_comes_first_and_once() {
        let graph: &[(&str, &[&str])] =
            &[("console", &["virtio", "ring"]), ("virtio", &[]), ("pci", &["ring", "virtio"])];
        let order = order(graph, &["console", "pci", "virtio"]).unwrap();
        assert_eq!(order, ["virtio", "ring", "console", "pci"]);
    }

    #[test]
    fn a_circle_is_an_error_that_names_it() {
        let error = order(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])], &["a"]).unwrap_err();
        assert!(
            matches!(&error, ModuleError::Circle { names } if names == &["b", "c", "b"]),
            "{error}"
        );
    }
}
