//! Makes a history that went wrong smaller, as long as it goes wrong in the same way.

use super::history::History;

/// How many histories are tried for it.
const TRIALS: usize = 300;

/// The smallest history found for which `fails` says so.
pub fn shrink(history: &History, fails: impl Fn(&History) -> bool) -> History {
    let mut best = history.clone();
    let mut trials = 0;
    let mut attempt = |candidate: History, best: &mut History| {
        trials += 1;
        let better = trials <= TRIALS && fails(&candidate);
        if better {
            *best = candidate;
        }
        better
    };
    let mut size = best.size().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        let mut any = false;
        while start < best.size() {
            let mut candidate = best.clone();
            candidate.events.drain(start..(start + size).min(best.size()));
            if attempt(candidate, &mut best) {
                any = true;
            } else {
                start += size;
            }
        }
        if !any || size > 1 {
            size /= 2;
        }
    }
    loop {
        let simpler = best.nature.simpler().into_iter();
        let mut found = false;
        for nature in simpler {
            if attempt(History { nature, ..best.clone() }, &mut best) {
                found = true;
                break;
            }
        }
        if !found {
            return best;
        }
    }
}
