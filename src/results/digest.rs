//! A digest that does not change from one version of the harness to the next.

/// FNV-1a, 64 bits (<https://datatracker.ietf.org/doc/draft-eastlake-fnv/>): parts of a run are
/// spread by it, so machines with different builds of the harness must agree on it.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

const PRIME: u64 = 0x0000_0100_0000_01b3;

/// A digest of names in their order, in hexadecimal.
pub fn digest<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let text: String = names.flat_map(|name| [name, "\n"]).collect();
    format!("{:016x}", fnv1a(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_fnv_1a_as_the_draft_has_it() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn order_and_boundaries_of_names_count() {
        let of = |names: &[&str]| digest(names.iter().copied());
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
    }
}
