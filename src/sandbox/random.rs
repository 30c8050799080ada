//! The one door to chance: ids that the service makes, and tokens.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// A source of ids. From a seed it gives the same ids in the same order, which makes a test
/// repeatable.
#[derive(Clone)]
pub struct Random {
    key: [u8; 32],
    counter: u64,
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Random").field("counter", &self.counter).finish_non_exhaustive()
    }
}

impl Random {
    /// A source that nobody can foresee.
    pub fn from_entropy() -> Self {
        let mut hash = Sha256::new();
        hash.update(entropy().as_bytes());
        hash.update(entropy().as_bytes());
        Self { key: hash.finalize().into(), counter: 0 }
    }

    /// A repeatable source. `epoch` must differ at each start of one organisation, or ids would
    /// come again.
    pub fn from_seed(seed: u64, epoch: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"sandbox");
        hash.update(seed.to_be_bytes());
        hash.update(epoch.to_be_bytes());
        Self { key: hash.finalize().into(), counter: 0 }
    }

    /// The next GUID, lower case.
    pub fn guid(&mut self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update(self.counter.to_be_bytes());
        self.counter = self.counter.wrapping_add(1);
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, random)| *byte = random);
        Builder::from_random_bytes(bytes).into_uuid().hyphenated().to_string()
    }
}

/// A bearer token: 64 hexadecimal digits, always unforeseeable, seed or not.
pub fn token() -> String {
    format!("{}{}", entropy().simple(), entropy().simple())
}

#[allow(
    clippy::disallowed_methods,
    reason = "the sandbox is another program in spirit: this is its own door to chance"
)]
fn entropy() -> Uuid {
    Uuid::new_v4()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_an_epoch_does_not() {
        let ids = |mut random: Random| (random.guid(), random.guid());
        assert_eq!(ids(Random::from_seed(7, 1)), ids(Random::from_seed(7, 1)));
        assert_ne!(ids(Random::from_seed(7, 1)).0, ids(Random::from_seed(7, 2)).0);
        let (first, second) = ids(Random::from_entropy());
        assert_ne!(first, second);
    }
}
