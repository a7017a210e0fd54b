package backendtest

import (
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

var derivedChecks = []Check{
	{"files", checkDerivedFiles},
	{"half a file", checkHalfDerived},
	{"names", checkDerivedNames},
	{"closed", checkDerivedClosed},
}

// derivedText is the content of a file, nil if there is none.
func (w *world) derivedText(name string) []byte {
	w.Helper()
	f, err := w.b.OpenDerived(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(w, err)
	defer func() { require.NoError(w, f.Close()) }()
	all, err := io.ReadAll(f)
	require.NoError(w, err)
	return all
}

// keepsDerived skips the check for an authority that keeps no files.
func (w *world) keepsDerived() {
	w.Helper()
	require.NoError(w, w.b.WriteDerived(w.ctx, "probe", strings.NewReader("p")))
	if w.derivedText("probe") == nil {
		w.skip("it keeps no files")
	}
	require.NoError(w, w.b.RemoveDerived("probe"))
}

func checkDerivedFiles(w *world) {
	names, err := w.b.ListDerived()
	require.NoError(w, err)
	require.Empty(w, names)
	w.keepsDerived()
	require.Nil(w, w.derivedText("a"))
	require.NoError(w, w.b.WriteDerived(w.ctx, "b-2", strings.NewReader("two")))
	require.NoError(w, w.b.WriteDerived(w.ctx, "a.1", strings.NewReader("one")))
	names, err = w.b.ListDerived()
	require.NoError(w, err)
	require.Equal(w, []string{"a.1", "b-2"}, names)
	require.Equal(w, "one", string(w.derivedText("a.1")))

	old, err := w.b.OpenDerived("a.1")
	require.NoError(w, err)
	require.NoError(w, w.b.WriteDerived(w.ctx, "a.1", strings.NewReader("another")))
	require.Equal(w, "another", string(w.derivedText("a.1")))
	all, err := io.ReadAll(old)
	require.NoError(w, err)
	require.Equal(w, "one", string(all), "who reads a file is not disturbed")
	require.NoError(w, old.Close())

	require.NoError(w, w.b.RemoveDerived("b-2"))
	require.NoError(w, w.b.RemoveDerived("b-2"))
	require.Nil(w, w.derivedText("b-2"))
	w.reopen()
	require.Equal(w, "another", string(w.derivedText("a.1")))
}

// halfContent fails in the middle.
type halfContent struct{}

var errHalf = errors.New("half of it is there")

func (halfContent) WriteTo(out io.Writer) (int64, error) {
	n, err := io.WriteString(out, "half")
	return int64(n), errors.Join(errHalf, err)
}

func checkHalfDerived(w *world) {
	w.keepsDerived()
	require.ErrorIs(w, w.b.WriteDerived(w.ctx, "a", halfContent{}), errHalf)
	require.Nil(w, w.derivedText("a"))
	require.NoError(w, w.b.WriteDerived(w.ctx, "a", strings.NewReader("whole")))
	require.ErrorIs(w, w.b.WriteDerived(w.ctx, "a", halfContent{}), errHalf)
	require.Equal(w, "whole", string(w.derivedText("a")))
	names, err := w.b.ListDerived()
	require.NoError(w, err)
	require.Equal(w, []string{"a"}, names)
	s := w.scope()
	w.put(s, "k", "v") // the store goes on
	w.wantValue(s, "k", "v")
}

func checkDerivedNames(w *world) {
	for _, name := range []string{"", ".", "..", "a/b", "../a", ".a", "a.", "A", "a_b", "\x00",
		strings.Repeat("a", 101)} {
		require.False(w, backend.ValidDerived(name))
		err := w.b.WriteDerived(w.ctx, name, strings.NewReader("x"))
		require.ErrorIs(w, err, codec.ErrInvalidArgument, name)
		_, err = w.b.OpenDerived(name)
		require.ErrorIs(w, err, codec.ErrInvalidArgument, name)
		require.ErrorIs(w, w.b.RemoveDerived(name), codec.ErrInvalidArgument, name)
	}
	require.True(w, backend.ValidDerived(strings.Repeat("a", 100)))
}

func checkDerivedClosed(w *world) {
	require.NoError(w, w.b.Close())
	err := w.b.WriteDerived(w.ctx, "a", strings.NewReader("x"))
	require.ErrorIs(w, err, backend.ErrClosed)
	_, err = w.b.OpenDerived("a")
	require.ErrorIs(w, err, backend.ErrClosed)
	_, err = w.b.ListDerived()
	require.ErrorIs(w, err, backend.ErrClosed)
	require.ErrorIs(w, w.b.RemoveDerived("a"), backend.ErrClosed)
}
