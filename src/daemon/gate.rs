//! Who may write when: rounds of different classes side by side, a command alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// As many as may pass at a time; more than there are classes.
const WIDTH: u32 = 16;

/// Passed by every round, and closed by a command. Who waits longest is next.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

/// The right to go on, until it is dropped.
#[derive(Debug)]
pub struct Pass {
    _permit: OwnedSemaphorePermit,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(usize::try_from(WIDTH).unwrap_or(usize::MAX))))
    }
}

impl Gate {
    /// For a round: beside other rounds.
    pub async fn beside(&self) -> Pass {
        self.pass(1).await
    }

    /// For a command: alone. `None` when rounds go on for longer than this.
    pub async fn alone(&self, patience: Duration) -> Option<Pass> {
        timeout(patience, self.pass(WIDTH)).await.ok()
    }

    async fn pass(&self, width: u32) -> Pass {
        loop {
            // It is never closed.
            if let Ok(permit) = Arc::clone(&self.0).acquire_many_owned(width).await {
                return Pass { _permit: permit };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_command_is_alone_and_rounds_are_not() {
        let gate = Gate::default();
        let (one, two) = (gate.beside().await, gate.beside().await);
        assert!(gate.alone(PATIENCE).await.is_none());
        drop((one, two));
        let command = gate.alone(PATIENCE).await.unwrap();
        assert!(timeout(PATIENCE, gate.beside()).await.is_err());
        drop(command);
        assert!(timeout(PATIENCE, gate.beside()).await.is_ok());
    }
}
