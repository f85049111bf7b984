//! The statistics of the gate. Each function names its source; the values in the tests are those
//! of SciPy 1.17 for the same input.

/// Normal quantile of a two-sided interval of 95 %.
const Z_95: f64 = 1.959_963_984_540_054;

/// Samples up to which the distribution of U is counted out rather than approximated.
const EXACT: usize = 30;

/// A probability that was estimated from trials.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Rate {
    /// Times that it happened.
    pub hits: u32,
    /// Trials.
    pub trials: u32,
    /// Lower end of the interval of 95 %.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Rate {
    /// The estimate with Wilson's score interval (E. B. Wilson, JASA 22 (1927), 209-212), which
    /// is sound for few trials and for rates near 0 and 1.
    pub fn new(hits: u32, trials: u32) -> Self {
        if trials == 0 {
            return Self { hits, trials, low: 0.0, high: 1.0 };
        }
        let n = f64::from(trials);
        let p = f64::from(hits) / n;
        let z2 = Z_95 * Z_95;
        let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z_95 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        Self { hits, trials, low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { hits, trials, low, high } = self;
        write!(f, "{hits} of {trials} ({:.0} to {:.0} %)", low * 100.0, high * 100.0)
    }
}

/// Probability that as many hits as `b` of `b_trials`, or more, come by chance where `a` of
/// `a_trials` were seen: Fisher's exact test, one-sided.
pub fn fisher_more(a: u32, a_trials: u32, b: u32, b_trials: u32) -> f64 {
    let hits = a + b;
    let all = a_trials + b_trials;
    let ln_all = ln_choose(all, hits);
    let term = |k: u32| (ln_choose(b_trials, k) + ln_choose(a_trials, hits - k) - ln_all).exp();
    let most = hits.min(b_trials);
    (b..=most).filter(|k| hits - k <= a_trials).map(term).sum::<f64>().min(1.0)
}

fn ln_choose(n: u32, k: u32) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

fn ln_factorial(n: u32) -> f64 {
    (2..=n).map(|k| f64::from(k).ln()).sum()
}

/// What the test of Mann and Whitney says of two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Probability that the second is as much greater by chance.
    pub p: f64,
    /// Cliff's delta, -1 to 1: how much likelier a value of the second is greater than one of the
    /// first than the other way round (N. Cliff, Psychological Bulletin 114 (1993), 494-509).
    pub delta: f64,
}

/// Whether `b` tends to be greater than `a`: the U test, one-sided (H. B. Mann, D. R. Whitney, Annals
/// of Mathematical Statistics 18 (1947), 50-60). The distribution of U is exact for small samples
/// without ties, and normal with corrections for ties and continuity otherwise.
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Shift {
    if a.is_empty() || b.is_empty() {
        return Shift { p: 1.0, delta: 0.0 };
    }
    let (mut above, mut ties) = (0.0, 0.0);
    for x in a {
        for y in b {
            match y.total_cmp(x) {
                std::cmp::Ordering::Greater => above += 1.0,
                std::cmp::Ordering::Equal => ties += 1.0,
                std::cmp::Ordering::Less => {}
            }
        }
    }
    let u = above + ties / 2.0;
    let pairs = number(a.len()) * number(b.len());
    let exact = ties == 0.0 && a.len().max(b.len()) <= EXACT && !has_ties(a) && !has_ties(b);
    let p = if exact { exact_p(above, a.len(), b.len()) } else { normal_p(u, a, b) };
    Shift { p, delta: 2.0 * u / pairs - 1.0 }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn has_ties(sample: &[f64]) -> bool {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.windows(2).any(|pair| pair[0].total_cmp(&pair[1]).is_eq())
}

/// P(U >= `u`): of all ways to deal the ranks, how many give so many pairs.
fn exact_p(u: f64, m: usize, n: usize) -> f64 {
    // ways[k][s]: choices of k of the ranks seen so far whose U is s; one row in place.
    let most = m * n;
    let mut ways = vec![vec![0.0_f64; most + 1]; n + 1];
    ways[0][0] = 1.0;
    for before in 0..m + n {
        for k in (0..n.min(before + 1)).rev() {
            // The next rank goes to `b`: it is above all of `a` that came before it.
            let of_a = before - k.min(before);
            if of_a > m {
                continue;
            }
            for s in (0..=most.saturating_sub(of_a)).rev() {
                let from = ways[k][s];
                ways[k + 1][s + of_a] += from;
            }
        }
    }
    let total: f64 = ways[n].iter().sum();
    let tail = ways[n].iter().enumerate().filter(|(s, _)| number(*s) >= u);
    tail.map(|(_, count)| count).sum::<f64>() / total
}

fn normal_p(u: f64, a: &[f64], b: &[f64]) -> f64 {
    let (m, n) = (number(a.len()), number(b.len()));
    let all = m + n;
    let ties = tie_term(a, b);
    let variance = m * n / 12.0 * ((all + 1.0) - ties / (all * (all - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let z = (u - m * n / 2.0 - 0.5) / variance.sqrt();
    upper_tail(z)
}

/// Sum of t³ - t over groups of equal values.
fn tie_term(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    all.sort_by(f64::total_cmp);
    let groups = all.chunk_by(|x, y| x.total_cmp(y).is_eq());
    groups.map(|group| number(group.len())).map(|t| t * t * t - t).sum()
}

/// P(Z > z) of the normal distribution, by the complementary error function of W. J. Cody's
/// kind: Numerical Recipes, 3rd edition, section 6.2.2 (relative error below 1.2e-7).
fn upper_tail(z: f64) -> f64 {
    let x = (z / std::f64::consts::SQRT_2).abs();
    let t = 2.0 / (2.0 + x);
    const COEFFICIENTS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let polynomial = COEFFICIENTS.iter().rev().fold(0.0, |sum, c| sum * t + c);
    let erfc = t * (-x * x + polynomial).exp();
    if z >= 0.0 { erfc / 2.0 } else { 1.0 - erfc / 2.0 }
}

/// The middle of a sample; absent of an empty one.
pub fn median(sample: &[f64]) -> Option<f64> {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// Which of several tests hold at the level `alpha` together (S. Holm, Scandinavian Journal of
/// Statistics 6 (1979), 65-70): many metrics must not make a false alarm likely.
pub fn holm(p: &[f64], alpha: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|x, y| p[*x].total_cmp(&p[*y]));
    let mut holds = vec![false; p.len()];
    for (rank, index) in order.iter().enumerate() {
        if p[*index] > alpha / number(p.len() - rank) {
            break;
        }
        holds[*index] = true;
    }
    holds
}

#[cfg(test)]
mod tests;
