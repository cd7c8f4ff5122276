//! One HTTP/1.1 connection that is kept. Light, because the load shares the machine with what it measures.

use std::io::{Error, ErrorKind};
use std::ops::Range;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::args::Target;

/// How many header fields an answer may have.
const FIELDS_MAX: usize = 64;
/// Room for an answer of the usual size.
const ROOM: usize = 2_048;

/// A connection to a target.
pub struct Connection {
    stream: TcpStream,
    /// The newest answer.
    bytes: Vec<u8>,
    body: Range<usize>,
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    body: Range<usize>,
}

impl Connection {
    /// Connects.
    pub async fn to(target: &Target) -> Result<Self, Error> {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, bytes: Vec::with_capacity(ROOM), body: 0..0 })
    }

    /// Sends a request, and waits for the whole answer. Returns its status.
    pub async fn ask(&mut self, request: &[u8]) -> Result<u16, Error> {
        self.stream.write_all(request).await?;
        self.bytes.clear();
        loop {
            if self.stream.read_buf(&mut self.bytes).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = read_head(&self.bytes)?
                && head.body.end <= self.bytes.len()
            {
                self.body = head.body;
                return Ok(head.status);
            }
        }
    }

    /// The body of the newest answer.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body.clone()]
    }

    /// Sends a request whose answer has no end, and gives away the connection once the head of the answer is there,
    /// with the status and what came behind the head.
    pub async fn stream(mut self, request: &[u8]) -> Result<(u16, TcpStream, Vec<u8>), Error> {
        self.stream.write_all(request).await?;
        loop {
            if self.stream.read_buf(&mut self.bytes).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some((status, end, _)) = parse(&self.bytes)? {
                return Ok((status, self.stream, self.bytes.split_off(end)));
            }
        }
    }
}

/// A request without a body.
pub fn get(target: &Target, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", target.host).into_bytes()
}

/// Asks once, over a connection of its own: the status and the body.
pub async fn get_once(target: &Target, path: &str) -> Result<(u16, Vec<u8>), Error> {
    let mut connection = Connection::to(target).await?;
    let status = connection.ask(&get(target, path)).await?;
    Ok((status, connection.body().to_vec()))
}

/// Reads the head of an answer; `None` while it is not whole.
fn read_head(bytes: &[u8]) -> Result<Option<Head>, Error> {
    let Some((status, begin, length)) = parse(bytes)? else { return Ok(None) };
    let length = match (length, status) {
        (Some(length), _) => length,
        (None, 204 | 304) => 0,
        (None, _) => return Err(Error::new(ErrorKind::InvalidData, "an answer without Content-Length")),
    };
    Ok(Some(Head { status, body: begin..begin + length }))
}

/// The status of an answer, where its head ends, and how long its body is, if the head says so.
fn parse(bytes: &[u8]) -> Result<Option<(u16, usize, Option<usize>)>, Error> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = response.parse(bytes).map_err(|fault| Error::new(ErrorKind::InvalidData, fault))?;
    let (httparse::Status::Complete(end), Some(status)) = (parsed, response.code) else { return Ok(None) };
    let mut length = None;
    for field in response.headers.iter() {
        if field.name.eq_ignore_ascii_case("content-length") {
            let value = std::str::from_utf8(field.value).ok().and_then(|value| value.trim().parse().ok());
            length = Some(value.ok_or_else(|| Error::new(ErrorKind::InvalidData, "a wrong Content-Length"))?);
        }
    }
    Ok(Some((status, end, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 4\r\nx: y\r\n\r\nbody";

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let head = read_head(CREATED).unwrap().unwrap();
        assert_eq!(head, Head { status: 201, body: CREATED.len() - 4..CREATED.len() });
        assert_eq!(&CREATED[head.body], b"body");
        for end in 0..CREATED.len() - 4 {
            assert_eq!(read_head(&CREATED[..end]).unwrap(), None, "{end}");
        }
    }

    #[test]
    fn an_answer_that_does_not_say_how_long_it_is_is_refused() {
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
        assert!(read_head(chunked).is_err());
        assert!(read_head(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n").is_err());
        assert!(read_head(b"SMTP ready\r\n\r\n").is_err());
        assert_eq!(read_head(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap().body.len(), 0);
    }
}
