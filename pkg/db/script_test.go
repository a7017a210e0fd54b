package inmem_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// TestScripts plays the scripts in testdata: each file is a story with one database and one run.
// A block "play" holds steps, one per line, and its output repeats each with what came of it.
//
//	begin T [serializable]        start transaction T
//	[T] put K V [ttl]             write; without T directly on the run
//	[T] get K | exists K          read
//	[T] versioned K               read with version and deadline
//	[T] delete K
//	[T] cas K VERSION V           VERSION is 0 or a name such as v2
//	[T] scan|list|count [prefix=P] [start=S] [end=E] [limit=N] [reverse]
//	[T] many K...                 GetMany
//	T counts | commit | rollback
//	clock D                       move the clock
//	sweep                         delete what has expired
//	end STATUS                    end the run
//	commits                       how many commits took a version since the last asking
//
// Versions are named in the order in which they appear: v1, v2... The word _ stands for the empty
// string.
func TestScripts(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
			s := newScript(newWorld(t, e, nil))
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				require.Equal(t, "play", d.Cmd)
				var out strings.Builder
				for _, line := range strings.Split(d.Input, "\n") {
					fmt.Fprintf(&out, "%s -> %s\n", line, s.step(strings.Fields(line)))
				}
				return out.String()
			})
		})
	})
}

type script struct {
	*world
	txs      map[string]*inmem.Tx
	versions []uint64 // versions[i] is called v(i+1)
	commits  uint64
}

func newScript(w *world) *script {
	return &script{world: w, txs: map[string]*inmem.Tx{}, commits: w.Metrics().Commits}
}

// step plays one line.
func (s *script) step(words []string) string {
	verb, args := words[0], words[1:]
	switch verb {
	case "begin":
		o := inmem.TxOptions{}
		if len(args) > 1 && args[1] == "serializable" {
			o.Isolation = inmem.Serializable
		}
		s.txs[args[0]] = s.begin(o)
		return "ok"
	case "clock":
		d, err := time.ParseDuration(args[0])
		require.NoError(s.t, err)
		s.clock.advance(d)
		return "ok"
	case "sweep":
		return s.outcome("ok", s.sweep())
	case "end":
		status := map[string]inmem.Status{"completed": inmem.Completed, "failed": inmem.Failed,
			"cancelled": inmem.Cancelled, "active": inmem.Active}[args[0]]
		return s.outcome("ok", s.run.End(s.ctx(), status))
	case "commits":
		n := s.Metrics().Commits
		defer func() { s.commits = n }()
		return strconv.FormatUint(n-s.commits, 10)
	}
	if tx := s.txs[verb]; tx != nil {
		return s.inTx(tx, args)
	}
	return s.onKV(s.run.KV(), words)
}

func (s *script) inTx(tx *inmem.Tx, words []string) string {
	switch words[0] {
	case "commit":
		v, err := tx.Commit(s.ctx())
		return s.outcome("committed "+s.name(v), err)
	case "rollback":
		return s.outcome("rolled back", tx.Rollback())
	case "counts":
		c := tx.Counts()
		return fmt.Sprintf("reads=%d ranges=%d puts=%d deletes=%d conditions=%d",
			c.Reads, c.Ranges, c.Puts, c.Deletes, c.Conditions)
	}
	return s.onKV(tx.KV(), words)
}

func (s *script) onKV(k inmem.KV, words []string) string {
	args := words[1:]
	for i, a := range args {
		if a == "_" {
			args[i] = ""
		}
	}
	switch words[0] {
	case "put":
		if len(args) == 3 {
			ttl, err := time.ParseDuration(args[2])
			require.NoError(s.t, err)
			v, err := k.PutWithTTL(s.ctx(), args[0], inmem.String(args[1]), ttl)
			return s.outcome(s.name(v), err)
		}
		v, err := k.Put(s.ctx(), args[0], inmem.String(args[1]))
		return s.outcome(s.name(v), err)
	case "get":
		v, ok, err := inmem.Get[string](s.ctx(), k, args[0])
		if !ok {
			v = "(absent)"
		}
		return s.outcome(v, err)
	case "exists":
		ok, err := k.Exists(s.ctx(), args[0])
		return s.outcome(strconv.FormatBool(ok), err)
	case "versioned":
		return s.versioned(k, args[0])
	case "delete":
		ok, err := k.Delete(s.ctx(), args[0])
		return s.outcome(strconv.FormatBool(ok), err)
	case "cas":
		v, err := k.CAS(s.ctx(), args[0], s.version(args[1]), inmem.String(args[2]))
		return s.outcome(s.name(v), err)
	case "many":
		return s.many(k, args)
	case "scan", "list", "count":
		return s.scan(k, words[0], args)
	}
	s.t.Fatalf("unknown step %q", words)
	return ""
}

func (s *script) versioned(k inmem.KV, key string) string {
	e, err := k.GetVersioned(s.ctx(), key)
	out := "(absent)"
	if e.Exists {
		out, err = e.Value.AsString()
	}
	out += " " + s.name(e.Version)
	if !e.Expires.IsZero() {
		out += " expires in " + e.Expires.Sub(s.clock.now()).String()
	}
	require.Equal(s.t, e.Version == 0, e.Written.IsZero(), "written time of %q", key)
	return s.outcome(out, err)
}

func (s *script) many(k inmem.KV, keys []string) string {
	found, err := k.GetMany(s.ctx(), keys)
	var out []string
	for _, key := range keys {
		if v, ok := found[key]; ok {
			out = append(out, fmt.Sprintf("%s=%v", key, v))
		}
	}
	return s.outcome(strings.Join(out, " "), err)
}

func (s *script) scan(k inmem.KV, verb string, args []string) string {
	var o inmem.ScanOptions
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "prefix":
			o.Prefix = value
		case "start":
			o.Start = value
		case "end":
			o.End = value
		case "limit":
			n, err := strconv.Atoi(value)
			require.NoError(s.t, err)
			o.Limit = n
		case "reverse":
			o.Reverse = true
		}
	}
	if verb == "count" {
		n, err := k.Count(s.ctx(), o)
		return s.outcome(strconv.Itoa(n), err)
	}
	out := []string{}
	if verb == "list" {
		for key, err := range k.List(s.ctx(), o) {
			if err != nil {
				return s.outcome("", err)
			}
			out = append(out, key)
		}
	} else {
		for p, err := range k.Scan(s.ctx(), o) {
			if err != nil {
				return s.outcome("", err)
			}
			v, err := p.Value.AsString()
			require.NoError(s.t, err)
			out = append(out, p.Key+"="+v)
		}
	}
	return "[" + strings.Join(out, " ") + "]"
}

// name is what a version is called in the script.
func (s *script) name(v uint64) string {
	if v == 0 {
		return "0"
	}
	for i, known := range s.versions {
		if known == v {
			return fmt.Sprintf("v%d", i+1)
		}
	}
	s.versions = append(s.versions, v)
	return fmt.Sprintf("v%d", len(s.versions))
}

// version is the inverse of name; an unknown name is a version that nothing has.
func (s *script) version(name string) uint64 {
	if name == "0" {
		return 0
	}
	i, err := strconv.Atoi(strings.TrimPrefix(name, "v"))
	require.NoError(s.t, err)
	if i > len(s.versions) {
		return 1 << 40
	}
	return s.versions[i-1]
}

// outcome is the result, or which error came instead.
func (s *script) outcome(result string, err error) string {
	if err == nil {
		return result
	}
	var conflict *inmem.ConflictError
	if errors.As(err, &conflict) {
		var keys []string
		for _, k := range conflict.Keys {
			verb := "read"
			if k.CAS {
				verb = "expected"
			}
			if k.Phantom {
				verb = "phantom since"
			}
			keys = append(keys, fmt.Sprintf("%s %s %s found %s", k.Key, verb,
				s.name(k.Expected), s.name(k.Found)))
			require.Equal(s.t, s.run.ID(), k.Run)
		}
		return "conflict: " + strings.Join(keys, ", ")
	}
	for name, sentinel := range map[string]error{
		"transaction has ended": inmem.ErrTxnDone, "invalid argument": inmem.ErrInvalidArgument,
		"not active": inmem.ErrRunNotActive, "too large": inmem.ErrTooLarge,
	} {
		if errors.Is(err, sentinel) {
			return "error: " + name
		}
	}
	return "error: " + err.Error()
}
