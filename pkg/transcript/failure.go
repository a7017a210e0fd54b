package transcript

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxErrorText is the most bytes that are kept of the text of an error: the whole of it is in the
// content of the result.
const maxErrorText = 1 << 10

// traceback begins what Python prints when it gives up.
const traceback = "Traceback (most recent call last)"

// failureOf tells whether a tool has failed, from the fields of its result, else from its text; see
// the package comment for the rules. Empty texts mean that it has not.
func failureOf(n *node, text string) (reason, class string) {
	if e := n.get("error"); e != nil && e.kind != isFalse {
		return errorField(e)
	}
	failed := n.get("is_error")
	if status := n.get("status").str(); status == "error" || status == "failed" {
		failed = &node{kind: isTrue}
	}
	reason, class = failureText(text)
	if failed != nil && failed.kind == isFalse {
		return "", ""
	}
	if failed != nil && failed.kind == isTrue && reason == "" {
		reason = clip(firstLine(text))
		if reason == "" {
			reason = "failed"
		}
	}
	return reason, class
}

// errorField reads a field that holds an error: a text, or an object with a message.
func errorField(e *node) (reason, class string) {
	reason, class = e.word(), ""
	if e.kind == isObject {
		reason = e.first("message", "error", "detail").word()
		class = e.first("type", "code", "name").word()
	} else if _, c := failureText(reason); c != "" {
		class = c
	}
	if reason == "" || reason == "true" {
		reason = "failed"
	}
	return clip(reason), clip(class)
}

// failureText tells a failure by how a text begins.
func failureText(text string) (reason, class string) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, traceback) {
		return splitError(text[strings.LastIndexByte(text, '\n')+1:])
	}
	if strings.HasPrefix(text, "{") && strings.Contains(text, `"error"`) {
		if n, err := parseJSON([]byte(text)); err == nil {
			if e := n.get("error"); e != nil && e.kind != isFalse && e.text != "" ||
				e != nil && (e.kind == isObject || e.kind == isTrue) {
				return errorField(e)
			}
		}
		return "", ""
	}
	line := firstLine(text)
	if reason, class = splitError(line); class != "" {
		return reason, class
	}
	if len(line) >= 5 && strings.EqualFold(line[:5], "error") {
		if next, _ := utf8.DecodeRuneInString(line[5:]); !unicode.IsLetter(next) {
			return clip(line), ""
		}
	}
	return "", ""
}

// splitError takes the class off a line. What is left is never empty.
func splitError(line string) (reason, class string) {
	if class = errorClass(line); class != "" {
		_, rest, _ := strings.Cut(line, ":")
		if rest = strings.TrimSpace(rest); rest != "" {
			return clip(rest), class
		}
	}
	return clip(strings.TrimSpace(line)), class
}

// errorClass is the name of the error that a line begins with, as in "ValueError: no such seat".
func errorClass(line string) string {
	class, _, ok := strings.Cut(line, ":")
	if !ok || class == "Error" || strings.ContainsFunc(class, func(r rune) bool {
		return !(r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || r == '.' || r == '_')
	}) {
		return ""
	}
	if strings.HasSuffix(class, "Error") || strings.HasSuffix(class, "Exception") {
		return clip(class)
	}
	return ""
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}

// clip cuts a text to maxErrorText bytes.
func clip(text string) string { return clipTo(text, maxErrorText) }

// clipTo cuts a text to so many bytes, between two characters.
func clipTo(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
