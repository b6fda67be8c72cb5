//! Random numbers of work.

use fastrand::Rng;

/// Draws the number of events of which `mean` are expected.
pub(crate) fn poisson(mean: f64, rng: &mut Rng) -> u64 {
    if mean > 50.0 {
        return rounded(mean + mean.sqrt() * normal(rng));
    }
    let (limit, mut product, mut count) = ((-mean).exp(), rng.f64(), 0);
    while product > limit {
        product *= rng.f64();
        count += 1;
    }
    count
}

/// Draws how many of `tasks` happen that happen with the probability `share` each.
pub(crate) fn binomial(tasks: u64, share: f64, rng: &mut Rng) -> u64 {
    let mean = tasks as f64 * share;
    if mean.min(tasks as f64 - mean) > 50.0 {
        return rounded(mean + (mean * (1.0 - share)).sqrt() * normal(rng)).min(tasks);
    }
    (0..tasks).filter(|_| rng.f64() < share).count() as u64
}

fn rounded(number: f64) -> u64 {
    number.round().max(0.0) as u64
}

/// The sum of 12 uniform numbers, which is normal enough.
pub(crate) fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}
