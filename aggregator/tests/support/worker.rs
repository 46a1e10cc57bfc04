// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program that counts from a queue into a store.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Place, Program, terminate};

/// The real program, counting from a queue; killed at the end.
pub struct Worker {
    child: Child,
    log: PathBuf,
}

impl Worker {
    pub fn start(place: &Place) -> Self {
        let queue = place.redis.as_ref().unwrap().address();
        Self::start_with(place, &queue, &[])
    }

    /// One that takes over what others have left after a second.
    pub fn start_with(place: &Place, queue: &str, options: &[&str]) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let log = place.path(&format!("worker-{}.log", STARTED.fetch_add(1, Ordering::Relaxed)));
        let mut command = Program::command(place);
        command.args(["count", "--phase", "testing", "--reclaim-after", "1", "--queue", queue]);
        command.args(["--store", &place.store_text()]).args(options);
        let child = command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
        Self { child, log }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// SIGTERM; returns whether it ended well.
    pub fn terminate(mut self) -> bool {
        terminate(&self.child);
        self.child.wait().unwrap().success()
    }
}

impl Drop for Worker {
    /// SIGKILL.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the worker says:\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
