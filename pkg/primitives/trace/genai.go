package trace

import (
	"slices"

	"github.com/inmem-db/inmem/pkg/codec"
)

// SemanticConventions is the version of OpenTelemetry's semantic conventions that the names of this
// package come from: the last one before those for generative AI moved to a repository of their
// own.
const SemanticConventions = "1.41.1"

// Attributes of the conventions that have a field. They are also keys of the stored form.
const (
	attrErrorType     = "error.type"
	attrAgentName     = "gen_ai.agent.name"
	attrConversation  = "gen_ai.conversation.id"
	attrOperation     = "gen_ai.operation.name"
	attrProvider      = "gen_ai.provider.name"
	attrRequestModel  = "gen_ai.request.model"
	attrResponseModel = "gen_ai.response.model"
	attrToolCallID    = "gen_ai.tool.call.id"
	attrToolName      = "gen_ai.tool.name" // the name of a ToolCall; not stored a second time
	attrInputTokens   = "gen_ai.usage.input_tokens"
	attrOutputTokens  = "gen_ai.usage.output_tokens"
)

// operationTool is what the conventions call the execution of a tool.
const operationTool = "execute_tool"

// owned are the attributes that have a field in every span.
var owned = []string{
	attrErrorType, attrAgentName, attrConversation, attrOperation, attrProvider, attrRequestModel,
	attrResponseModel, attrToolCallID, attrInputTokens, attrOutputTokens,
}

// checkAttributes refuses what is no Map, and entries that would say again what a field says: sums
// over the fields would not see them.
func checkAttributes(typ SpanType, v codec.Value) error {
	if v.IsNull() {
		return nil
	}
	if v.Kind() != codec.KindMap {
		return &codec.TypeError{Path: ".attributes", Expected: "Map", Found: v.Kind().String()}
	}
	for key := range v.Entries() {
		if slices.Contains(owned, key) || key == attrToolName && typ == ToolCall {
			return invalid("attribute %q: the span has a field for it", key)
		}
	}
	return nil
}

// OperationName is the value of gen_ai.operation.name: the Operation if there is one, execute_tool
// for a ToolCall, else the type itself, for which the conventions have no word.
func (s *Span) OperationName() string {
	switch {
	case s.Operation != "":
		return s.Operation
	case s.Type == ToolCall:
		return operationTool
	}
	return string(s.Type)
}

// GenAI returns the span's attributes as a Map in the words of the conventions: the caller's, and
// those that have a field here. A span that carries an Error and no ErrorType has the error.type
// "_OTHER". Name of other spans than tool calls, times, tags and cost are no attributes there.
//
// Errors: codec.ErrTooLarge if the whole is too large for a value.
func (s *Span) GenAI() (codec.Value, error) {
	all := make(map[string]codec.Value, s.Attributes.Len()+len(owned)+1)
	for key, v := range s.Attributes.Entries() {
		all[key] = v
	}
	errorType, tool := s.ErrorType, ""
	if errorType == "" && s.Failed() {
		errorType = "_OTHER"
	}
	if s.Type == ToolCall {
		tool = s.Name
	}
	for _, a := range []struct{ key, text string }{
		{attrErrorType, errorType}, {attrAgentName, s.Agent}, {attrConversation, s.Conversation},
		{attrOperation, s.OperationName()}, {attrProvider, s.Provider}, {attrRequestModel, s.Model},
		{attrResponseModel, s.ResponseModel}, {attrToolCallID, s.ToolCallID}, {attrToolName, tool},
	} {
		if a.text != "" {
			all[a.key] = codec.String(a.text)
		}
	}
	if s.InputTokens != 0 {
		all[attrInputTokens] = codec.Int(s.InputTokens)
	}
	if s.OutputTokens != 0 {
		all[attrOutputTokens] = codec.Int(s.OutputTokens)
	}
	return codec.Map(all)
}
