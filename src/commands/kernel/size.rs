//! Sizes for people.

/// `bytes` in MiB, rounded up.
pub fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_so_that_nothing_is_empty() {
        assert_eq!(mebibytes(1), "1 MiB");
        assert_eq!(mebibytes(3 << 20), "3 MiB");
        assert_eq!(mebibytes(u64::MAX), "17592186044416 MiB");
    }
}
