package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newManualCommand prints all of the help at once: docs/cli.md is made by it (make docs).
func newManualCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "manual", Hidden: true,
		Short: "Print the help of all commands as Markdown",
		Args:  exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := io.WriteString(e.out, manual(c.Root()))
			return err
		},
	}
}

const manualTop = `# The inmem command

<!-- Made by make docs; edit the commands in cmd/inmem/internal/cli instead. -->

%s
In a clone of this repository it is run as ` + "`go run ./cmd/inmem`" + `; ` +
	"`go install ./cmd/inmem`" + ` puts it into
the Go bin directory. %s has the shell completion.

%s

`

// manual is the help of a command and of all under it.
func manual(root *cobra.Command) string {
	var b strings.Builder
	text, codes, _ := strings.Cut(root.Long, "Exit codes:\n")
	fmt.Fprintf(&b, manualTop, paragraphs(text), "`inmem completion --help`",
		"Every command has these flags:")
	writeFlags(&b, root.PersistentFlags())
	codes = strings.ReplaceAll("\n"+strings.TrimRight(codes, "\n"), "\n  ", "\n")
	b.WriteString("\nExit codes:\n\n```text" + codes + "\n```\n")
	for _, group := range root.Groups() {
		fmt.Fprintf(&b, "\n%s\n\n", strings.TrimSuffix(group.Title, ":")+":")
		for _, c := range root.Commands() {
			if c.GroupID == group.ID && c.IsAvailableCommand() {
				listCommand(&b, c)
			}
		}
	}
	for _, group := range root.Groups() {
		for _, c := range root.Commands() {
			if c.GroupID == group.ID && c.IsAvailableCommand() {
				writeCommand(&b, c)
			}
		}
	}
	return b.String()
}

// listCommand is a line of the table of contents, with one for each command under it.
func listCommand(b *strings.Builder, c *cobra.Command) {
	anchor := strings.ReplaceAll(c.CommandPath(), " ", "-")
	fmt.Fprintf(b, "- [%s](#%s): %s\n", c.CommandPath(), anchor, c.Short)
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			listCommand(b, sub)
		}
	}
}

// writeCommand is the section of a command, and of each under it.
func writeCommand(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n", c.CommandPath(), strings.TrimSuffix(c.Short, "."))
	if c.Long != "" {
		b.WriteString("\n" + paragraphs(c.Long))
	}
	if c.Runnable() {
		fmt.Fprintf(b, "\n```text\n%s\n```\n", c.UseLine())
	}
	if len(c.Aliases) > 0 {
		fmt.Fprintf(b, "\nAlso called %s.\n", strings.Join(c.Aliases, ", "))
	}
	if flags := c.NonInheritedFlags(); flags.HasAvailableFlags() {
		b.WriteString("\n")
		writeFlags(b, flags)
	}
	if c.Example != "" {
		b.WriteString("\n```console\n")
		for line := range strings.Lines(strings.Trim(c.Example, "\n")) {
			b.WriteString("$ " + strings.TrimSpace(line) + "\n")
		}
		b.WriteString("```\n")
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			writeCommand(b, sub)
		}
	}
}

// paragraphs are the paragraphs of a help text. Lines that are indented there are a block.
func paragraphs(text string) string {
	var b strings.Builder
	block := false
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		if indented := strings.HasPrefix(line, "  "); indented != block && line != "\n" {
			if block = indented; block {
				b.WriteString("```text\n")
			} else {
				b.WriteString("```\n")
			}
		}
		if block {
			b.WriteString(strings.TrimPrefix(line, "  "))
		} else {
			b.WriteString(markdown.Replace(line))
		}
	}
	if block {
		b.WriteString("```\n")
	}
	return b.String()
}

// markdown escapes what would be markup in a text.
var markdown = strings.NewReplacer("*", `\*`, "<", "&lt;", "|", `\|`)

// writeFlags is a table of flags.
func writeFlags(b *strings.Builder, flags *pflag.FlagSet) {
	b.WriteString("| flag | default | meaning |\n|---|---|---|\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "`--" + f.Name
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		kind, usage := pflag.UnquoteUsage(f)
		if kind = strings.TrimSuffix(strings.TrimSuffix(kind, "Array"), "s"); kind != "" {
			name += " " + strings.ToUpper(kind)
		}
		standard := ""
		switch f.DefValue {
		case "", "0", "false", "[]": // what nothing stands for is said in the meaning
		default:
			standard = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(b, "| %s` | %s | %s |\n", name, standard, markdown.Replace(usage))
	})
}
