package codec

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// example is one block of docs/format.md: ```hex <kind> [<number from the key>].
type example struct {
	line   int
	kind   string
	number uint64
	bytes  []byte
	want   string
}

var gap = regexp.MustCompile(`\s{2,}`)

// readExamples takes the examples out of the page: hex up to the first gap of two blanks, and the
// expected text after "= ".
func readExamples(t *testing.T, path string) []example {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var all []example
	var e *example
	scanner := bufio.NewScanner(f)
	for n := 1; scanner.Scan(); n++ {
		text := scanner.Text()
		switch {
		case strings.HasPrefix(text, "```hex "):
			words := strings.Fields(text)
			e = &example{line: n, kind: words[1]}
			if len(words) > 2 {
				e.number, err = strconv.ParseUint(words[2], 10, 64)
				require.NoError(t, err, "line %d", n)
			}
		case e == nil:
		case strings.HasPrefix(text, "```"):
			all, e = append(all, *e), nil
		case strings.HasPrefix(text, "= "):
			e.want = text[2:]
		default:
			digits := strings.ReplaceAll(gap.Split(text, 2)[0], " ", "")
			b, err := hex.DecodeString(digits)
			require.NoError(t, err, "line %d", n)
			e.bytes = append(e.bytes, b...)
		}
	}
	require.NoError(t, scanner.Err())
	return all
}

// decode shows what the bytes decode to, and encodes that again.
func (e example) decode(t *testing.T) (text string, again []byte) {
	switch e.kind {
	case "key":
		s, p, user, version, err := DecodeKey(e.bytes)
		require.NoError(t, err)
		again = keyParts{s, p, string(user), version}.encode(t)
		return fmt.Sprintf("%s version %d", FormatKey(s, p, string(user)), version), again
	case "envelope":
		env, err := DecodeEnvelope(e.bytes)
		require.NoError(t, err)
		return showEnvelope(env), AppendEnvelope(nil, env)
	case "value":
		v, err := DecodeValue(e.bytes)
		require.NoError(t, err)
		return v.String(), encode(t, v)
	case "commit":
		r, err := DecodeCommitRecord(e.number, e.bytes)
		require.NoError(t, err)
		return fmt.Sprintf("version %d previous %d time %d scopes %v flags %d", r.Version, r.Previous,
			r.Time, r.Scopes, r.Flags), AppendCommitRecord(nil, r)
	case "group":
		var text []string
		var again GroupBuilder
		g := OpenGroup(e.number, e.bytes)
		for g.Next() {
			text = append(text, fmt.Sprintf("version %d record %x", g.Version(), g.Record()))
			again.Add(g.Version(), g.Record())
		}
		require.NoError(t, g.Err())
		return strings.Join(text, ", "), again.Append(nil)
	case "journal":
		r, err := DecodeJournalRecord(e.number, e.bytes)
		require.NoError(t, err)
		var changes []string
		for _, c := range r.Changes {
			changes = append(changes, fmt.Sprintf("%s %s %q", c.Op, c.Primitive, c.Key))
		}
		number := fmt.Sprintf("number %d parts %d", r.Number, r.Parts)
		if r.Timed {
			number += fmt.Sprint(" time ", r.Time)
		}
		if r.Origin.Version != 0 {
			number += fmt.Sprintf(" origin %d at %d", r.Origin.Version, r.Origin.Time)
		}
		return fmt.Sprintf("%s: %s", number, strings.Join(changes, ", ")), AppendJournalRecord(nil, r)
	case "scope":
		return e.decodeScope(t)
	case "state":
		return e.decodeState()
	case "event":
		return e.decodeEvent(t)
	case "vector":
		return e.decodeVector(t)
	case "collection":
		return e.decodeCollection(t)
	case "horizon":
		return e.decodeHorizon(t)
	default:
		require.Equal(t, "tuple", e.kind)
		elements, err := DecodeTuple(e.bytes)
		require.NoError(t, err)
		return showTuple(elements), encodeTuple(elements)
	}
}

// decodeState takes the items of a state apart, and takes their hash.
func (e example) decodeState() (text string, again []byte) {
	var items []string
	for rest := e.bytes; len(rest) > 0; {
		letter, size := Primitive(rest[0]), binary.BigEndian.Uint32(rest[1:])
		key, tail := string(rest[5:5+size]), rest[5+size:]
		deadline, size := binary.BigEndian.Uint64(tail), binary.BigEndian.Uint32(tail[8:])
		value := tail[12 : 12+size]
		rest = tail[12+size:]
		again = AppendStateItem(again, letter, key, int64(deadline), value)
		item := fmt.Sprintf("%s %q %x", letter, key, value)
		if deadline != 0 {
			item += fmt.Sprint(" until ", deadline)
		}
		items = append(items, item)
	}
	hash := sha256.Sum256(append([]byte(StateTag), e.bytes...))
	return fmt.Sprintf("%s: %x", strings.Join(items, ", "), hash), again
}

func showEnvelope(env Envelope) string {
	var words []string
	if env.Tombstone {
		words = append(words, "tombstone")
	}
	if env.Origin != 0 {
		words = append(words, fmt.Sprint("origin ", env.Origin))
	}
	if env.Expiry != 0 {
		words = append(words, fmt.Sprint("expiry ", env.Expiry))
	}
	if !env.Tombstone {
		words = append(words, fmt.Sprintf("payload %x", env.Payload))
	}
	return strings.Join(words, " ")
}

func showTuple(elements []Element) string {
	var words []string
	for _, e := range elements {
		switch e.Kind {
		case ElementString:
			words = append(words, fmt.Sprintf("string %q", e.Text))
		case ElementInt:
			words = append(words, fmt.Sprint("int ", e.Int))
		case ElementFloat:
			words = append(words, fmt.Sprint("float ", e.Float))
		case ElementTime:
			words = append(words, fmt.Sprint("time ", e.Int))
		case ElementTrue:
			words = append(words, "true")
		}
	}
	return strings.Join(words, ", ")
}

func (e example) decodeScope(t *testing.T) (string, []byte) {
	r, err := DecodeScopeRecord(e.bytes)
	require.NoError(t, err)
	require.Equal(t, r.Created, r.Updated)
	again, err := AppendScopeRecord(nil, r)
	require.NoError(t, err)
	if r.Kind != KindRun {
		return fmt.Sprintf("%s number %d %s tenant %q agent %q", r.Kind, r.Number, r.Status, r.Tenant,
			r.Agent), again
	}
	return fmt.Sprintf("id %x number %d %s agent %q created %d tags %q metadata %s epoch %d", r.ID,
		r.Number, r.Status, r.Agent, r.Created, r.Tags, r.Metadata, r.BootEpoch), again
}

func (e example) decodeEvent(t *testing.T) (string, []byte) {
	r, err := DecodeEventRecord(e.bytes)
	require.NoError(t, err)
	digest := PayloadDigest(r.Payload)
	require.Equal(t, r.Hash, EventHash(r.Previous, e.number, r.Time, r.Type, digest))
	payload, err := DecodeValue(r.Payload)
	require.NoError(t, err)
	again, err := AppendEventRecord(nil, r)
	require.NoError(t, err)
	return fmt.Sprintf("time %d type %q payload %s", r.Time, r.Type, payload), again
}

func (e example) decodeHorizon(t *testing.T) (string, []byte) {
	r, err := DecodeHorizonRecord(e.bytes)
	require.NoError(t, err)
	var words []string
	for _, h := range r.Horizons {
		words = append(words, fmt.Sprintf("%s %d", h.Primitive, h.Version))
	}
	words = append(words, fmt.Sprint("first ", r.First))
	if r.Pending {
		words = append(words, "pending")
	}
	return strings.Join(words, ", "), AppendHorizonRecord(nil, r)
}

func (e example) decodeVector(t *testing.T) (string, []byte) {
	r, err := DecodeVectorRow(e.bytes)
	require.NoError(t, err)
	again, err := AppendVectorRow(nil, r)
	require.NoError(t, err)
	return fmt.Sprintf("vector %v metadata %s", r.Vector, r.Metadata), again
}

func (e example) decodeCollection(t *testing.T) (string, []byte) {
	c, err := DecodeVectorCollection(e.bytes)
	require.NoError(t, err)
	again, err := AppendVectorCollection(nil, c)
	require.NoError(t, err)
	return fmt.Sprintf("dimension %d metric %d index %d links %d candidates %d", c.Dimension,
		c.Metric, c.Index, c.Links, c.Candidates), again
}

// The page says what the code does.
func TestFormatPage(t *testing.T) {
	examples := readExamples(t, "../../docs/format.md")
	kinds := map[string]int{}
	for _, e := range examples {
		kinds[e.kind]++
		t.Run(fmt.Sprintf("line_%d_%s", e.line, e.kind), func(t *testing.T) {
			text, again := e.decode(t)
			require.Equal(t, e.want, text)
			require.Equal(t, e.bytes, again)
		})
	}
	require.Len(t, kinds, 13, "an example of every kind")
	require.Greater(t, len(examples), 20)
}
