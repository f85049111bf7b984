//! Delays the vCPUs of a guest against each other, to make races show.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vmm::HoldCpus;

use crate::scenario::model::Perturb;

/// Delays that go on until it is dropped.
pub struct Perturbation {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Perturbation {
    /// Begins. Which vCPU is held, when, and for how long comes of `seed`; where the guest is at that moment
    /// is the host's affair. A machine with one vCPU has nothing that could be delayed against another.
    ///
    /// # Errors
    /// When the host does not allow it.
    pub fn start(mut holder: Box<dyn HoldCpus>, asked: Perturb, seed: u64) -> io::Result<Self> {
        let cpus = u64::try_from(holder.cpus()).unwrap_or(u64::MAX);
        if cpus < 2 {
            return Ok(Self { stop: None, thread: None });
        }
        // What is refused, is refused here, where it can be told.
        holder.hold(0, Duration::ZERO)?;
        let (stop, stopped) = channel();
        let mut random = Random(seed);
        let thread = thread::Builder::new().name("perturb".into()).spawn(move || {
            loop {
                let pause = random.up_to_twice(asked.every.0);
                if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                let cpu = usize::try_from(random.below(cpus)).unwrap_or_default();
                // It fails when the guest has ended.
                if holder.hold(cpu, random.up_to_twice(asked.hold.0)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Perturbation {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked holds nothing any more.
            let _ = thread.join();
        }
    }
}

/// SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014): good enough, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is small: what the remainder favours does not matter.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn up_to_twice(&mut self, mean: Duration) -> Duration {
        let nanoseconds = u64::try_from(mean.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(nanoseconds.saturating_mul(2)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::scenario::units::Time;

    type Held = Arc<Mutex<Vec<(usize, Duration)>>>;

    struct Notes(usize, Held);

    impl HoldCpus for Notes {
        fn cpus(&self) -> usize {
            self.0
        }

        fn hold(&mut self, cpu: usize, time: Duration) -> io::Result<()> {
            self.1.lock().unwrap().push((cpu, time));
            Ok(())
        }
    }

    /// The first delays with `seed`, after the one that tries.
    fn delays(cpus: usize, seed: u64) -> Vec<(usize, Duration)> {
        let held = Held::default();
        let time = Time(Duration::from_millis(1));
        let asked = Perturb { every: time, hold: time };
        let holder = Box::new(Notes(cpus, Arc::clone(&held)));
        let perturbation = Perturbation::start(holder, asked, seed).unwrap();
        while cpus > 1 && held.lock().unwrap().len() < 10 {
            thread::sleep(Duration::from_millis(1));
        }
        drop(perturbation);
        held.lock().unwrap().iter().skip(1).take(9).copied().collect()
    }

    #[test]
    fn the_seed_says_which_cpus_are_held_for_how_long() {
        assert_eq!(delays(4, 7), delays(4, 7));
        assert_ne!(delays(4, 7), delays(4, 8));
        assert!(delays(4, 7).iter().all(|(cpu, time)| *cpu < 4 && time.as_millis() < 2));
    }

    #[test]
    fn a_single_cpu_is_left_alone() {
        assert_eq!(delays(1, 7), []);
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // From the reference implementation, https://prng.di.unimi.it/splitmix64.c, for the seed 1234567.
        let mut random = Random(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }
}
