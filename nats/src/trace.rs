//! Trace context: which message led to which. W3C `traceparent`, version 00.
//!
//! Carried in message headers and shown in logs as `trace.id`, so that one block can be followed from the
//! box to the bars with nothing but `grep`. No exporter hangs on it, hence no tracing SDK.

use std::fmt;

/// The header that carries it, in lower case on both sides.
pub(crate) const HEADER: &str = "traceparent";

/// Where a message stands in a chain of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
}

impl TraceContext {
    /// The start of a new chain.
    pub fn start() -> Self {
        Self { trace: (u128::from(random_bits()) << 64) | u128::from(random_bits()), span: random_bits() }
    }

    /// The next link of this chain.
    pub fn next(self) -> Self {
        Self { trace: self.trace, span: random_bits() }
    }

    /// Reads a `traceparent` header; `None` when it is not of version 00 or is all zero.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
        if version != "00" || trace.len() != 32 || span.len() != 16 {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok()?;
        let span = u64::from_str_radix(span, 16).ok()?;
        (trace != 0 && span != 0).then_some(Self { trace, span })
    }

    /// The identifier of the whole chain, as logs show it.
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace, self.span)
    }
}

fn random_bits() -> u64 {
    getrandom::u64().expect("the system has random numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_keeps_its_trace_from_link_to_link() {
        let first = TraceContext::start();
        let heard = TraceContext::parse(&first.to_string()).unwrap();
        assert_eq!(heard, first);
        assert_eq!(heard.next().trace_id(), first.trace_id());
        assert_ne!(heard.next(), first);
    }

    #[test]
    fn what_is_no_trace_context_is_none() {
        let zero = format!("00-{}-{}-01", "0".repeat(32), "0".repeat(16));
        for wrong in ["", "00", "00-1-2-01", &zero] {
            assert_eq!(TraceContext::parse(wrong), None, "{wrong:?}");
        }
    }
}
