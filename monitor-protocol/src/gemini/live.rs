//! Live sessions: a conversation over a WebSocket, one JSON object a message.
//!
//! Shapes: google-genai 3.4.0, `types.py`, `LiveClientMessage` and `LiveServerMessage`. A message is a protobuf one, so its
//! members' names are read in both spellings.

use super::{
    answer::{self, Answer, members},
    content,
    key::camel,
    request, usage,
};
use crate::{
    Channel, Finish, JsonError, Part, Place, Request, Role,
    json::{Kind, Reader},
    request::unknown_key,
};

type Result<T> = std::result::Result<T, JsonError>;

/// A session carries one answer at a time, so all of its messages are of one lane: those that follow the first of an
/// answer belong to the answer that has begun.
pub(super) const LANE: &str = "turn";

/// Reads a message of the client's. An answer is asked for by a turn that is complete, by text in real time, and by what a
/// function answered. Sound and pictures in real time ask for nothing by themselves: the model begins when it takes the
/// speaker to have finished.
pub(super) fn client<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<bool> {
    request.asks = false;
    request.stream = true;
    reader.object(|reader, key| match &*camel(&key) {
        "setup" => object(reader, request, setup),
        "clientContent" => object(reader, request, client_content),
        "realtimeInput" => object(reader, request, realtime_input),
        "toolResponse" => {
            request.asks = true;
            object(reader, request, tool_response)
        }
        "contextUpdate" => object(reader, request, context_update),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    })
}

/// Reads the members of an object; of any other value, lists the strings.
fn object<'b>(
    reader: &mut Reader<'b>,
    request: &mut Request<'b>,
    member: fn(&mut Reader<'b>, &str, &mut Request<'b>) -> Result<()>,
) -> Result<()> {
    if reader.peek()? != Kind::Object {
        return request.push_all(reader, Place::Other, false, unknown_key);
    }
    members(reader, |reader, key| member(reader, key, request))
}

/// `setup`: what a request has beside its contents, and settings of the session.
fn setup<'b>(reader: &mut Reader<'b>, key: &str, request: &mut Request<'b>) -> Result<()> {
    match key {
        "model" | "generationConfig" | "systemInstruction" | "tools" | "safetySettings" | "labels" => {
            request::named(reader, key, request)
        }
        // Known, and read by no model.
        "avatarConfig"
        | "contextWindowCompression"
        | "explicitVadSignal"
        | "historyConfig"
        | "inputAudioTranscription"
        | "outputAudioTranscription"
        | "proactivity"
        | "realtimeInputConfig"
        | "sessionResumption" => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    }
}

fn client_content<'b>(reader: &mut Reader<'b>, key: &str, request: &mut Request<'b>) -> Result<()> {
    match key {
        "turns" => content::contents(reader, request, Role::User),
        "turnComplete" => {
            request.asks |= reader.is_true()?;
            Ok(())
        }
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    }
}

fn realtime_input<'b>(reader: &mut Reader<'b>, key: &str, request: &mut Request<'b>) -> Result<()> {
    match key {
        "text" => {
            request.asks |= reader.peek()? == Kind::String;
            content::string(reader, request, Role::User, Place::Message)
        }
        "audio" | "video" => content::blob(reader, request),
        "mediaChunks" => each(reader, |reader| content::blob(reader, request)),
        "audioStreamEnd" | "activityStart" | "activityEnd" => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    }
}

fn tool_response<'b>(reader: &mut Reader<'b>, key: &str, request: &mut Request<'b>) -> Result<()> {
    match key {
        "functionResponses" => each(reader, |reader| content::function_response(reader, request)),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    }
}

/// Reads each element of an array; a lone one is read as well.
fn each<'b>(reader: &mut Reader<'b>, mut element: impl FnMut(&mut Reader<'b>) -> Result<()>) -> Result<()> {
    if reader.peek()? == Kind::Array {
        return reader.array(element).map(drop);
    }
    element(reader)
}

/// `contextUpdate`: its `tools` are wrapped once more.
fn context_update<'b>(reader: &mut Reader<'b>, key: &str, request: &mut Request<'b>) -> Result<()> {
    match key {
        "systemInstruction" | "tools" => request::named(reader, key, request),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    }
}

/// One member of a message of the server's.
///
/// No message says that an answer begins, so each that holds something of the model's turn says so. A turn is over at
/// `turnComplete`: `generationComplete` and `interrupted` come before it, and usage may come with it.
pub(super) fn server<'b>(reader: &mut Reader<'b>, key: &str, answer: &mut Answer<'b>) -> Result<()> {
    match key {
        "serverContent" => members(reader, |reader, key| server_content(reader, key, answer)),
        "toolCall" => {
            answer.begins = true;
            answer.finish = Some(Finish::ToolCalls);
            members(reader, |reader, key| match key {
                "functionCalls" => {
                    let mut index = 0;
                    reader
                        .array(|reader| {
                            answer::call(reader, answer, index)?;
                            index += 1;
                            Ok(())
                        })
                        .map(drop)
                }
                _ => reader.skip().map(drop),
            })
        }
        "usageMetadata" => answer.usage(reader, usage::read),
        "error" => {
            answer.error |= reader.peek()? != Kind::Null;
            reader.skip().map(drop)
        }
        // `setupComplete`, `toolCallCancellation`, `goAway`, `sessionResumptionUpdate`, `voiceActivity`.
        _ => reader.skip().map(drop),
    }
}

fn server_content<'b>(reader: &mut Reader<'b>, key: &str, answer: &mut Answer<'b>) -> Result<()> {
    match key {
        "modelTurn" => {
            answer.begins = true;
            answer::content(reader, answer)
        }
        "outputTranscription" => {
            answer.begins = true;
            answer::transcription(reader, answer, 0)
        }
        // What the user said: apart from what the model says, and its guesses apart from what it made of them.
        "inputTranscription" => answer::transcription(reader, answer, 1),
        "interimInputTranscription" => answer::transcription(reader, answer, 2),
        "groundingMetadata" => answer::grounding(reader, answer),
        "urlContextMetadata" => {
            let channel = Channel {
                choice: 0,
                part: Part::Citation,
                index: 0,
            };
            answer.strings(reader, channel, |key| key == "urlRetrievalStatus")
        }
        "turnComplete" => {
            if reader.is_true()? {
                answer.turn_complete = true;
                answer.finish = answer.finish.or(Some(Finish::Stop));
            }
            Ok(())
        }
        "turnCompleteReason" => {
            if let Some(reason) = reader.string()? {
                answer.finish = Some(finish(&reason.text()));
            }
            Ok(())
        }
        _ => reader.skip().map(drop),
    }
}

/// `turnCompleteReason`: google-genai 3.4.0, `types.py`, `TurnCompleteReason`. All but these are filters.
fn finish(reason: &str) -> Finish {
    match reason {
        "TURN_COMPLETE_REASON_UNSPECIFIED" => Finish::Stop,
        "NEED_MORE_INPUT" => Finish::Paused,
        "MALFORMED_FUNCTION_CALL" => Finish::Error,
        _ => Finish::Filtered,
    }
}
