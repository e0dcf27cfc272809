//! Which part of an exchange a text is.

use monitor_content::Profile;
use monitor_protocol::{Place, Role};

use super::label::labels;

labels! {
    /// A part of an exchange, by who wrote it.
    Part {
        /// The instructions of whoever built the application.
        System => "system",
        /// What the user says; also a prompt that says of nobody that it is theirs.
        User => "user",
        /// What the model said or thought in an earlier turn.
        Assistant => "assistant",
        /// The name, description or schema of a tool.
        ToolDefinition => "tool_definition",
        /// A tool call of an earlier turn.
        ToolCall => "tool_call",
        /// What a tool answered.
        ToolResult => "tool_result",
        /// An attached document or search result.
        Document => "document",
        /// Another text of the request: a schema of the answer, a string in an unknown place.
        Other => "other",
        /// The answer.
        Text => "text",
        /// The model's thinking.
        Reasoning => "reasoning",
        /// The name and arguments of a tool that the model calls.
        ToolArguments => "tool_arguments",
        /// What a tool that the provider runs answered, and the sources it quotes.
        ToolOutput => "tool_output",
    }
}

impl Part {
    /// The part that a text of a request is.
    #[must_use]
    pub const fn of_request(role: Role, place: Place) -> Self {
        match (place, role) {
            (Place::ToolDefinition, _) => Self::ToolDefinition,
            (Place::ToolCall, _) => Self::ToolCall,
            (Place::ToolResult, _) => Self::ToolResult,
            (Place::Document, _) => Self::Document,
            (Place::OutputSchema | Place::Other, _) => Self::Other,
            (Place::Reasoning | Place::Prediction, _) => Self::Assistant,
            (Place::Message | Place::Name, Role::System | Role::Developer) => Self::System,
            (Place::Message | Place::Name, Role::Assistant) => Self::Assistant,
            (Place::Message | Place::Name, Role::Tool) => Self::ToolResult,
            (Place::Message | Place::Name, Role::User | Role::Unstated) => Self::User,
        }
    }

    /// The part that a text of a response is.
    #[must_use]
    pub const fn of_response(part: monitor_protocol::Part) -> Self {
        use monitor_protocol::Part as Of;
        match part {
            Of::Text | Of::Refusal | Of::Transcript => Self::Text,
            Of::Reasoning => Self::Reasoning,
            Of::ToolName | Of::ToolArguments => Self::ToolArguments,
            Of::ToolResult | Of::Citation => Self::ToolOutput,
        }
    }

    /// Whether it is a part of the request.
    #[must_use]
    pub const fn is_prompt(self) -> bool {
        (self as u16) < (Self::Text as u16)
    }

    /// Whose text it is.
    #[must_use]
    pub const fn profile(self) -> Profile {
        match self {
            Self::ToolResult | Self::Document | Self::ToolOutput => Profile::Untrusted,
            _ => Profile::Own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tools_message_is_a_tool_result_wherever_it_stands() {
        assert_eq!(Part::of_request(Role::Tool, Place::Message), Part::ToolResult);
        assert_eq!(Part::of_request(Role::User, Place::ToolResult), Part::ToolResult);
        assert_eq!(Part::of_request(Role::Unstated, Place::Message), Part::User);
    }

    #[test]
    fn the_prompts_parts_come_first() {
        let prompt = Part::ALL.iter().filter(|part| part.is_prompt()).count();
        assert_eq!(prompt, 8);
        assert!(Part::Other.is_prompt() && !Part::Text.is_prompt() && !Part::ToolOutput.is_prompt());
    }
}
