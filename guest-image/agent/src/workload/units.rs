//! Numbers with units, as in scenarios: a unit is required.

use std::time::Duration;

/// Bytes: `64MiB`.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let shift = match unit {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err("state a unit: B, KiB, MiB or GiB".into()),
    };
    number.checked_mul(1 << shift).ok_or_else(|| "too large".into())
}

/// Bytes a second: `10MiB/s`.
pub fn rate(text: &str) -> Result<u64, String> {
    let per_second = text.strip_suffix("/s").ok_or("state a rate as in 10MiB/s")?;
    match size(per_second)? {
        0 => Err("a rate of nothing never ends".into()),
        rate => Ok(rate),
    }
}

/// A time: `200ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    match split(text)? {
        (number, "us") => Ok(Duration::from_micros(number)),
        (number, "ms") => Ok(Duration::from_millis(number)),
        (number, "s") => Ok(Duration::from_secs(number)),
        _ => Err("state a unit: us, ms or s".into()),
    }
}

/// A number without a unit.
pub fn count(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "not a number from 0 up".into())
}

fn split(text: &str) -> Result<(u64, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = number.parse().map_err(|_| "does not start with a whole number")?;
    Ok((number, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_required() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(rate("1GiB/s"), Ok(1 << 30));
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        for text in
            ["64", "64mb", "MiB", "", "-1MiB", "99999999999999999999B", "18446744073709551615KiB"]
        {
            assert!(size(text).is_err(), "{text}");
        }
        assert!(rate("10MiB").is_err());
        assert!(rate("0B/s").is_err());
        assert!(duration("5").is_err());
    }
}
