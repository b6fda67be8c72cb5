//! Look-up of a collector's addresses.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

use heartline_engine::CollectorAddress;

use super::waker::SenderWaker;

/// Addresses found, or the reason why there are none.
type LookupResult = Result<Vec<SocketAddr>, String>;

/// Looks a collector's name up on a thread of its own, as resolvers may hang; at most one look-up
/// is under way. An address in digits needs neither.
#[derive(Debug)]
pub(super) struct AddressLookup {
    collector: CollectorAddress,
    waker: Arc<SenderWaker>,
    pending: Option<Receiver<LookupResult>>,
}

impl AddressLookup {
    pub(super) fn new(collector: CollectorAddress, waker: Arc<SenderWaker>) -> Self {
        Self { collector, waker, pending: None }
    }

    pub(super) fn collector(&self) -> &CollectorAddress {
        &self.collector
    }

    /// Begins a look-up, unless one is under way. The waker is used at its end.
    pub(super) fn start(&mut self) {
        if self.pending.is_some() {
            return;
        }
        let (result, pending) = mpsc::sync_channel(1);
        self.pending = Some(pending);
        if let Ok(address) = self.collector.as_str().parse() {
            let _ = result.send(Ok(vec![address]));
            return;
        }
        let (collector, waker) = (self.collector.clone(), Arc::clone(&self.waker));
        let thread = thread::Builder::new().name("heartline-lookup".to_owned());
        // Without a thread the channel closes, which is a look-up that failed.
        let _ = thread.spawn(move || {
            let _ = result.send(resolve(&collector));
            waker.wake();
        });
    }

    /// Returns the result of a look-up that has ended.
    pub(super) fn poll(&mut self) -> Option<LookupResult> {
        let result = match self.pending.as_ref()?.try_recv() {
            Ok(result) => result,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err("the look-up has failed".to_owned()),
        };
        self.pending = None;
        Some(result)
    }
}

fn resolve(collector: &CollectorAddress) -> LookupResult {
    let found: Vec<SocketAddr> = match collector.as_str().to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => return Err(error.to_string()),
    };
    if found.is_empty() { Err("it has no address".to_owned()) } else { Ok(found) }
}
