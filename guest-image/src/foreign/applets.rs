//! The commands of a busybox that this host cannot run.
//!
//! Source: busybox's include/applet_tables.h as applets/applet_tables.c writes it: `applet_names`,
//! one string of the sorted names, each ended by a zero byte, the last by two.

/// How the list begins wherever `test` and its other names are built in: they sort first.
const START: &[u8] = b"\0[\0[[\0";

/// Longest list that is believed.
const LIMIT: usize = 64 << 10;

/// The names that the busybox `program` answers to, sorted; empty when they are not found.
#[must_use]
pub fn applets(program: &[u8]) -> Vec<String> {
    let starts = memchr::memmem::find_iter(program, START);
    let lists = starts.map(|start| names(&program[start + 1..]));
    lists.max_by_key(Vec::len).unwrap_or_default()
}

fn names(list: &[u8]) -> Vec<String> {
    let list = &list[..list.len().min(LIMIT)];
    let names = list.split(|&byte| byte == 0).map_while(|name| {
        let plain = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic());
        let text = plain.then(|| String::from_utf8_lossy(name).into_owned())?;
        (!text.contains('/')).then_some(text)
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_ends_at_the_empty_name() {
        assert_eq!(applets(b"xx\0[\0[[\0ash\0cat\0\0more\0"), ["[", "[[", "ash", "cat"]);
        assert!(applets(b"no list at all").is_empty());
    }

    #[test]
    fn they_are_what_a_busybox_that_runs_says_of_itself() {
        let Ok(program) = std::fs::read("/bin/busybox") else { return };
        let said = std::process::Command::new("/bin/busybox").arg("--list").output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert_eq!(applets(&program), said.lines().collect::<Vec<_>>());
    }
}
