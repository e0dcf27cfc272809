//! Finds the messages in one endpoint's bytes.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::header::{self, Header, MAX_HEADER_BYTES, Opcode};
use super::utf8::Utf8;
use super::{MaskingKey, MessageKind, Sender, WebSocketError, WebSocketMessage, close, mask};

/// Longest message that is read, in bytes of payload: what one endpoint can make us hold. OpenAI takes up to 15 MiB of audio
/// in one `input_audio_buffer.append` (openai-python 3.54.0, `types/realtime/input_audio_buffer_append_event.py`), 20 MiB in
/// base64; nothing else is near it.
pub const MAX_MESSAGE_BYTES: usize = 24 << 20;

/// Finds the messages in the bytes that one endpoint sends. A message that is one unmasked frame inside one pushed chunk
/// is a slice of it; a masked one is copied once to be unmasked; only one that straddles chunks or comes in fragments is
/// gathered.
#[derive(Debug)]
pub struct WebSocketDecoder {
    sender: Sender,
    limit_bytes: usize,
    /// Chunks not looked at yet.
    chunks: VecDeque<Bytes>,
    /// The beginning of a header.
    head: [u8; MAX_HEADER_BYTES],
    head_len: usize,
    /// The frame of which a part has come.
    frame: Option<Frame>,
    /// The message of which a part has come.
    message: Option<Partial>,
    /// The control frame of which a part has come, its header included.
    control: BytesMut,
    end: Option<End>,
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Failed(WebSocketError),
}

/// A frame under way.
#[derive(Debug)]
struct Frame {
    header: Header,
    seen: u64,
}

/// A message under way.
struct Partial {
    kind: MessageKind,
    key: Option<MaskingKey>,
    raw: BytesMut,
    /// Unmasked and joined, where that is not one run of `raw`.
    data: Option<BytesMut>,
    /// Where the payload of an unmasked message of one frame begins in `raw`.
    data_start: usize,
    data_len: usize,
    utf8: Utf8,
}

impl std::fmt::Debug for Partial {
    /// Never shows the data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partial")
            .field("kind", &self.kind)
            .field("raw_bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

impl WebSocketDecoder {
    /// A decoder of what `sender` sends after the handshake, for messages up to [`MAX_MESSAGE_BYTES`].
    #[must_use]
    pub fn new(sender: Sender) -> Self {
        Self::with_limit(sender, MAX_MESSAGE_BYTES)
    }

    /// A decoder for messages up to `limit_bytes`. With the headers of their fragments they are held up to twice that:
    /// fragments of one byte each would be held seven-fold.
    #[must_use]
    pub fn with_limit(sender: Sender, limit_bytes: usize) -> Self {
        Self {
            sender,
            limit_bytes,
            chunks: VecDeque::new(),
            head: [0; MAX_HEADER_BYTES],
            head_len: 0,
            frame: None,
            message: None,
            control: BytesMut::new(),
            end: None,
        }
    }

    /// Adds bytes as they came from the network. After a close frame they are dropped.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() && self.end != Some(End::Closed) {
            self.chunks.push_back(chunk);
        }
    }

    /// The next whole message or control frame; `None` when more bytes are needed, and after a close frame.
    ///
    /// # Errors
    ///
    /// The first byte that breaks the protocol has come, or the header of a message over the limit; then and at every later
    /// call.
    #[expect(
        clippy::should_implement_trait,
        reason = "fallible, and `None` is not the end: more may be pushed"
    )]
    pub fn next(&mut self) -> Result<Option<WebSocketMessage>, WebSocketError> {
        loop {
            match self.end {
                Some(End::Failed(error)) => return Err(error),
                Some(End::Closed) => return Ok(None),
                None => {}
            }
            let Some(chunk) = self.chunks.pop_front() else {
                return Ok(None);
            };
            match self.step(chunk) {
                Ok(None) => {}
                Ok(Some(message)) => {
                    if message.kind == MessageKind::Close {
                        self.end = Some(End::Closed);
                        self.chunks.clear();
                    }
                    return Ok(Some(message));
                }
                Err(error) => self.end = Some(End::Failed(error)),
            }
        }
    }

    /// Whether a close frame has come: nothing follows it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.end == Some(End::Closed)
    }

    /// Whether the sender is between two messages: none has begun that has not ended.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.head_len == 0 && self.frame.is_none() && self.message.is_none()
    }

    /// What was pushed and not yielded, so that the rest can be passed on unread.
    pub fn remainder(&mut self) -> Bytes {
        let mut rest = self.message.take().map(|message| message.raw).unwrap_or_default();
        rest.extend_from_slice(&self.control.split());
        rest.extend_from_slice(self.head.get(..self.head_len).unwrap_or_default());
        (self.head_len, self.frame) = (0, None);
        for chunk in self.chunks.drain(..) {
            rest.extend_from_slice(&chunk);
        }
        rest.freeze()
    }

    /// Takes one frame, one header or one run of payload from the start of `chunk`, and puts the rest back.
    fn step(&mut self, mut chunk: Bytes) -> Result<Option<WebSocketMessage>, WebSocketError> {
        if self.frame.is_some() {
            return self.payload(chunk);
        }
        if self.head_len == 0 {
            match header::parse(&chunk, self.sender).and_then(|header| self.admitted(header)) {
                Ok(Some(header)) => {
                    let whole = usize::try_from(header.payload_len)
                        .ok()
                        .and_then(|len| len.checked_add(header.len))
                        .filter(|&whole| whole <= chunk.len());
                    match whole {
                        Some(whole) if self.is_message(&header) => {
                            let raw = chunk.split_to(whole);
                            self.put_back(chunk);
                            return self.whole(&header, raw).map(Some);
                        }
                        _ => {
                            let head = chunk.split_to(header.len);
                            self.put_back(chunk);
                            return self.begin(header, &head);
                        }
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    self.put_back(chunk);
                    return Err(error);
                }
            }
        }
        // A header that straddles chunks, byte by byte.
        let byte = chunk.split_to(1);
        self.put_back(chunk);
        if let (Some(place), Some(byte)) = (self.head.get_mut(self.head_len), byte.first()) {
            *place = *byte;
            self.head_len += 1;
        }
        let head = self.head;
        let head = head.get(..self.head_len).unwrap_or_default();
        match self.admitted(header::parse(head, self.sender)?)? {
            None => Ok(None),
            Some(header) => {
                self.head_len = 0;
                self.begin(header, head)
            }
        }
    }

    fn put_back(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_front(chunk);
        }
    }

    /// Whether the frame is a message by itself, or a control frame.
    fn is_message(&self, header: &Header) -> bool {
        header.is_control() || (header.fin && self.message.is_none())
    }

    /// The header, if such a frame may come now.
    fn admitted(&self, header: Option<Header>) -> Result<Option<Header>, WebSocketError> {
        let Some(header) = header else { return Ok(None) };
        if header.is_control() {
            return Ok(Some(header));
        }
        if self.message.is_some() != (header.opcode == Opcode::Continuation) {
            return Err(WebSocketError::Fragment);
        }
        let (data, raw) = match &self.message {
            Some(message) => (message.data_len, message.raw.len()),
            None => (0, 0),
        };
        let payload_len = usize::try_from(header.payload_len).unwrap_or(usize::MAX);
        if data.saturating_add(payload_len) > self.limit_bytes
            || (raw > 0 && raw.saturating_add(payload_len) > self.limit_bytes.saturating_mul(2))
        {
            return Err(WebSocketError::TooLarge {
                limit_bytes: self.limit_bytes,
            });
        }
        Ok(Some(header))
    }

    /// A message or control frame whose only frame lies in one chunk.
    fn whole(&mut self, header: &Header, raw: Bytes) -> Result<WebSocketMessage, WebSocketError> {
        let Opcode::Kind(kind) = header.opcode else {
            return Err(WebSocketError::Fragment);
        };
        let data = match header.key {
            None => raw.slice(header.len..),
            Some(key) => {
                let mut data = BytesMut::from(raw.get(header.len..).unwrap_or_default());
                mask::apply(key, 0, &mut data);
                data.freeze()
            }
        };
        let checked = match kind {
            MessageKind::Text => {
                let mut utf8 = Utf8::default();
                utf8.push(&data).and_then(|()| utf8.end())
            }
            MessageKind::Close => close::check(&data),
            MessageKind::Binary | MessageKind::Ping | MessageKind::Pong => Ok(()),
        };
        if let Err(error) = checked {
            self.put_back(raw);
            return Err(error);
        }
        Ok(WebSocketMessage {
            kind,
            raw,
            data,
            key: header.key,
        })
    }

    /// Starts a frame whose payload is still to come.
    fn begin(&mut self, header: Header, head: &[u8]) -> Result<Option<WebSocketMessage>, WebSocketError> {
        if header.is_control() {
            self.control.extend_from_slice(head);
        } else {
            let message = match (&mut self.message, header.opcode) {
                (Some(message), _) => message,
                (none, Opcode::Kind(kind)) => none.insert(Partial {
                    kind,
                    key: header.key,
                    raw: BytesMut::new(),
                    data: (!header.fin || header.key.is_some()).then(BytesMut::new),
                    data_start: header.len,
                    data_len: 0,
                    utf8: Utf8::default(),
                }),
                (None, Opcode::Continuation) => return Err(WebSocketError::Fragment),
            };
            message.raw.extend_from_slice(head);
        }
        let empty = header.payload_len == 0;
        self.frame = Some(Frame { header, seen: 0 });
        if empty { self.end_frame() } else { Ok(None) }
    }

    /// Takes payload of the frame under way.
    fn payload(&mut self, mut chunk: Bytes) -> Result<Option<WebSocketMessage>, WebSocketError> {
        let Some(frame) = &mut self.frame else {
            return Ok(None);
        };
        let left = frame.header.payload_len - frame.seen;
        let part = chunk.split_to(usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len()));
        let offset = frame.seen;
        frame.seen += part.len() as u64;
        let (header, ended) = (frame.header, frame.seen == frame.header.payload_len);
        if !chunk.is_empty() {
            self.chunks.push_front(chunk);
        }
        if header.is_control() {
            self.control.extend_from_slice(&part);
        } else if let Some(message) = &mut self.message {
            message.take(header.key, offset, &part)?;
        }
        if ended { self.end_frame() } else { Ok(None) }
    }

    /// The frame under way has ended.
    fn end_frame(&mut self) -> Result<Option<WebSocketMessage>, WebSocketError> {
        let Some(Frame { header, .. }) = self.frame.take() else {
            return Ok(None);
        };
        if header.is_control() {
            let raw = self.control.split().freeze();
            return self.whole(&header, raw).map(Some);
        }
        if !header.fin {
            return Ok(None);
        }
        if let Some(message) = &self.message {
            message.utf8.end()?;
        }
        Ok(self.message.take().map(Partial::finish))
    }
}

impl Partial {
    fn take(&mut self, key: Option<MaskingKey>, offset: u64, part: &[u8]) -> Result<(), WebSocketError> {
        self.raw.extend_from_slice(part);
        self.data_len += part.len();
        let part = match &mut self.data {
            None => part,
            Some(data) => {
                let start = data.len();
                data.extend_from_slice(part);
                let fresh = data.get_mut(start..).unwrap_or_default();
                if let Some(key) = key {
                    mask::apply(key, offset, fresh);
                }
                fresh
            }
        };
        match self.kind {
            MessageKind::Text => self.utf8.push(part),
            _ => Ok(()),
        }
    }

    fn finish(self) -> WebSocketMessage {
        let raw = self.raw.freeze();
        let data = match self.data {
            Some(data) => data.freeze(),
            None => raw.slice(self.data_start.min(raw.len())..),
        };
        WebSocketMessage {
            kind: self.kind,
            raw,
            data,
            key: self.key,
        }
    }
}
