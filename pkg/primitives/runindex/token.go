package runindex

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/inmem-db/inmem/pkg/codec"
)

// A page token says where a page ended, as a bound, and of which query: version <1b>, digest <8b>,
// bound <rest>, in URL-safe base64. Places never change, so whatever comes and goes between two
// pages, no run that stays is passed over or met twice.

const (
	tokenVersion = 1
	digestSize   = 8
)

// token makes a page token.
func (f *filter) token(bound string) string {
	b := append([]byte{tokenVersion}, f.digest(bound)...)
	return base64.RawURLEncoding.EncodeToString(append(b, bound...))
}

// bound reads a page token back.
func (f *filter) bound(token string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 1+digestSize || b[0] != tokenVersion {
		return "", fmt.Errorf("%w: %q is no page token", codec.ErrInvalidArgument, shown(token))
	}
	bound := string(b[1+digestSize:])
	if !bytes.Equal(b[1:1+digestSize], f.digest(bound)) {
		return "", fmt.Errorf("%w: the page token is of another query", codec.ErrInvalidArgument)
	}
	return bound, nil
}

// digest binds a token to its query.
func (f *filter) digest(bound string) []byte {
	var t codec.Tuple
	for _, s := range f.status {
		t = t.AppendInt(int64(s))
	}
	t = t.AppendNil().AppendBool(f.archived).AppendBool(f.interrupted)
	for _, tag := range f.tags {
		t = t.AppendString(tag)
	}
	t = t.AppendNil().AppendString(f.tenant).AppendString(f.app).AppendString(f.agent)
	t = t.AppendBytes(f.parent[:]).AppendBytes([]byte(f.from)).AppendBytes([]byte(f.to))
	t = t.AppendBool(f.down).AppendString(strings.Clone(bound))
	sum := sha256.Sum256(t)
	return sum[:digestSize]
}
