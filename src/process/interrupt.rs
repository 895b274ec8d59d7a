//! Ctrl-C while a tool runs: the tool and everything it started must end too.
//!
//! Tools run in process groups of their own, so a terminal's Ctrl-C reaches this process alone; whoever waits for a tool asks
//! [`requested`] and ends the tool's group.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

static REQUESTED: AtomicBool = AtomicBool::new(false);
static WATCHER: Once = Once::new();
static HEARD: Notify = Notify::const_new();

/// How long the rest of the program has for an orderly end before the process ends by itself.
const GRACE: Duration = Duration::from_secs(3);
/// What a shell reports for a program that Ctrl-C ended.
pub const EXIT_STATUS: u8 = 130;

/// Whether the user asked to stop, by Ctrl-C, or the system, by SIGTERM or SIGHUP.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Ends when the user asks to stop. Needs [`watch`].
pub async fn wait() {
    let heard = HEARD.notified();
    if !requested() {
        heard.await;
    }
}

/// Watches for these signals from now on.
///
/// Once watched, a signal no longer ends the process by itself, also where nobody asks [`requested`]; so the watcher ends it
/// after a grace.
pub fn watch() {
    WATCHER.call_once(|| {
        std::thread::spawn(|| {
            if wait_for_signal().is_ok() {
                REQUESTED.store(true, Ordering::Relaxed);
                HEARD.notify_waiters();
                std::thread::sleep(GRACE);
                std::process::exit(EXIT_STATUS.into());
            }
        });
    });
}

fn wait_for_signal() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        Ok(())
    })
}
