//! Trends for people.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::trend::{Number, Trend};
use crate::gate::statistics::median;
use crate::results::Status;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const ODD: Style = AnsiColor::Yellow.on_default();
const NAME: Style = Style::new().bold();

/// Lines for a terminal: one block a test.
pub fn print(trends: &[Trend]) -> String {
    trends.iter().map(block).collect()
}

fn block(trend: &Trend) -> String {
    let mut text = format!("{NAME}{}{NAME:#}  {}\n", trend.test, marks(&trend.last));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "    passed   {}", trend.passed);
    let (all, lately) = trend.duration_ms;
    let _ = writeln!(text, "    duration {:.1} s, lately {:.1} s", all / 1000.0, lately / 1000.0);
    for (name, number) in &trend.numbers {
        let _ = writeln!(text, "    {name} {}", line(number));
    }
    if let Some(bad) = &trend.first_bad {
        let good = bad.last_good.as_deref().unwrap_or("never seen to pass");
        let cause = bad.cause.as_deref().unwrap_or_default();
        let _ = writeln!(
            text,
            "    {BAD}first bad{BAD:#} {} (run {}; last good: {good}): {cause}",
            bad.release, bad.run
        );
    }
    text
}

/// One letter a result.
fn marks(last: &[Status]) -> String {
    let mark = |status: &Status| match status {
        Status::Pass | Status::Xfail => format!("{GOOD}.{GOOD:#}"),
        Status::Fail | Status::Xpass => format!("{BAD}F{BAD:#}"),
        Status::Crash => format!("{BAD}C{BAD:#}"),
        Status::Timeout => format!("{BAD}T{BAD:#}"),
        Status::Flaky => format!("{ODD}~{ODD:#}"),
        Status::Error => format!("{ODD}E{ODD:#}"),
        Status::Skip => format!("{ODD}s{ODD:#}"),
    };
    last.iter().map(mark).collect()
}

fn line(number: &Number) -> String {
    let median = median(&number.values).unwrap_or_default();
    let last = number.values.last().copied().unwrap_or_default();
    let unit = &number.unit;
    format!("{median:.4} {unit}, last {last:.4} {unit}  {}", spark(&number.values))
}

/// The last values as a line of eight heights.
fn spark(values: &[f64]) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = &values[values.len().saturating_sub(30)..];
    let low = shown.iter().copied().fold(f64::INFINITY, f64::min);
    let high = shown.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let height = |value: f64| {
        let part = if high > low { (value - low) / (high - low) } else { 0.5 };
        // The first height that is not below the value.
        let at = (1..8).take_while(|step| part * 8.0 >= f64::from(*step)).count();
        HEIGHTS[at]
    };
    shown.iter().map(|value| height(*value)).collect()
}
