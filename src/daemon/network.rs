//! Tells when the network changed or the computer woke up. A hint: who cannot be reached is tried again in any case, only later.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock::Clock;

/// How often it is looked whether the computer slept. Each look wakes the processor up to three times: the timers are kept in wheels.
const TICK: Duration = Duration::from_mins(2);

/// A tick that is later than this was slept through.
const LATE: Duration = Duration::from_secs(15);

/// How long changes of the network are left to come to rest.
const SETTLE: Duration = Duration::from_secs(2);

/// Returns when the network changed or the computer woke up, and it is at rest again.
pub(super) async fn changed(clock: &Clock) {
    tokio::select! {
        () = woken(clock) => tracing::info!("the computer woke up"),
        () = rerouted() => tracing::info!("the network changed"),
    }
    sleep(SETTLE).await;
}

/// Returns after a sleep, or any other stop of everything.
async fn woken(clock: &Clock) {
    loop {
        let before = clock.since_boot();
        sleep(TICK).await;
        if clock.since_boot().saturating_sub(before) > TICK + LATE {
            return;
        }
    }
}

/// Returns when an address or a route came or went.
#[cfg(target_os = "linux")]
async fn rerouted() {
    if let Err(error) = linux::rerouted().await {
        tracing::debug!(%error, "the network cannot be watched");
        std::future::pending::<()>().await;
    }
}

#[cfg(not(target_os = "linux"))]
async fn rerouted() {
    std::future::pending::<()>().await;
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{AddressFamily, SocketFlags, SocketType};
    use tokio::net::UnixDatagram;

    /// The groups of `rtnetlink(7)`: addresses and routes of IPv4 and IPv6, by their bits in `linux/rtnetlink.h`.
    const GROUPS: u32 = 0x10 | 0x40 | 0x100 | 0x400;

    /// Returns at the first message.
    pub(super) async fn rerouted() -> io::Result<()> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // No protocol is NETLINK_ROUTE.
        let socket =
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        // To receive, any socket of datagrams is like another.
        let socket = UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(socket))?;
        let mut message = [0; 4096];
        match socket.recv(&mut message).await {
            Err(error) if error.raw_os_error() != Some(LOST) => Err(error),
            // That messages were lost is a message, too.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    const LOST: i32 = rustix::io::Errno::NOBUFS.raw_os_error();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_gap_in_time_is_a_sleep() {
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let woken = tokio::spawn({
            let clock = clock.clone();
            async move { woken(&clock).await }
        });
        clock.advance(TICK);
        sleep(TICK * 2).await;
        assert!(!woken.is_finished(), "it only ticked");
        clock.advance(Duration::from_hours(8));
        sleep(TICK * 2).await;
        assert!(woken.is_finished());
    }
}
