package codec

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// keyParts is a key before it is encoded.
type keyParts struct {
	s       Scope
	p       Primitive
	user    string
	version uint64
}

func (k keyParts) encode(t require.TestingT) []byte {
	b, err := AppendKey(nil, k.s, k.p, k.user)
	require.NoError(t, err)
	return AppendVersion(b, k.version)
}

// compare is the promised order: scope, primitive, user key, and the greatest version first with
// the bare key before all. The keys of the system scope are ordered against the others by their
// letter.
func (k keyParts) compare(o keyParts) int {
	letter := func(k keyParts) Primitive {
		if k.s == SystemScope {
			return k.p
		}
		return 'r'
	}
	return cmp.Or(
		cmp.Compare(letter(k), letter(o)),
		cmp.Compare(k.s, o.s),
		cmp.Compare(k.p, o.p),
		cmp.Compare(k.user, o.user),
		cmp.Compare(o.version-1, k.version-1), // 0 wraps around to the front
	)
}

func drawKey(t *rapid.T) keyParts {
	scopes := rapid.OneOf(rapid.SampledFrom([]Scope{0, 1, 2, 15, 16, 1 << 32, MaxScope}),
		rapid.Map(rapid.Uint64Range(0, uint64(MaxScope)), func(n uint64) Scope { return Scope(n) }))
	versions := rapid.OneOf(rapid.SampledFrom([]uint64{0, 1, 2, 9, 255, 256, 1 << 56, 1<<64 - 1}),
		rapid.Uint64())
	primitives := rapid.SampledFrom([]Primitive{KV, Events, Cells, 'K', 'Z', 'z', 'A', Journal})
	return keyParts{
		s:       scopes.Draw(t, "scope"),
		p:       primitives.Draw(t, "primitive"),
		user:    userKeys().Draw(t, "user"),
		version: versions.Draw(t, "version"),
	}
}

// R022, R023, R024, R026: encoding is injective, keeps the order, and can be undone.
func TestR024KeyOrderIsTupleOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawKey(t), drawKey(t)
		if rapid.Bool().Draw(t, "same place") {
			b.s, b.p = a.s, a.p
		}
		if rapid.Bool().Draw(t, "same user key") {
			b.user = a.user
		}
		ea, eb := a.encode(t), b.encode(t)
		require.Equal(t, a.compare(b), cockroachkvs.Compare(ea, eb), "%x\n%x", ea, eb)
		require.Equal(t, a == b, cockroachkvs.Equal(ea, eb))
		require.Equal(t, a == b, bytes.Equal(ea, eb))
		s, p, user, version, err := DecodeKey(ea)
		require.NoError(t, err)
		require.Equal(t, a, keyParts{s, p, string(user), version})
	})
}

// The engine sorts, separates and stores our keys without refusing any, and gives them back.
func TestEngineTakesEveryKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var keys [][]byte
		for range rapid.IntRange(1, 20).Draw(t, "n") {
			keys = append(keys, drawKey(t).encode(t))
		}
		engineRoundTrip(t, keys)
	})
}

func engineRoundTrip(t require.TestingT, keys [][]byte) {
	c := &cockroachkvs.Comparer
	slices.SortFunc(keys, c.Compare)
	keys = slices.CompactFunc(keys, c.Equal)
	kw := cockroachkvs.KeySchema.NewKeyWriter()
	for i, k := range keys {
		require.NoError(t, CheckKey(k))
		require.NoError(t, c.ValidateKey.Validate(k))
		prefix := c.Split(k)
		require.Zero(t, k[prefix-1], "the prefix ends in the sentinel")
		successor := c.Successor(nil, k)
		require.NoError(t, CheckKey(successor))
		require.LessOrEqual(t, c.Compare(k, successor), 0)
		require.Negative(t, c.Compare(k[:prefix], c.ImmediateSuccessor(nil, k[:prefix])))
		if i > 0 {
			separator := c.Separator(nil, keys[i-1], k)
			require.NoError(t, CheckKey(separator))
			require.LessOrEqual(t, c.Compare(keys[i-1], separator), 0)
			require.Negative(t, c.Compare(separator, k))
			require.LessOrEqual(t, c.AbbreviatedKey(keys[i-1]), c.AbbreviatedKey(k))
		}
		kcmp := kw.ComparePrev(k)
		kw.WriteKey(i, k, kcmp.PrefixLen, kcmp.CommonPrefixLen)
		require.Equal(t, k, kw.MaterializeKey(nil, i), "the table gives the key back")
	}
}

// R025: a prefix or range never reaches into a neighbour.
func TestR025BoundsEncloseExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, o := drawKey(t), drawKey(t)
		if rapid.Bool().Draw(t, "neighbour") {
			o.s = min(k.s+1, MaxScope)
		}
		key := k.encode(t)
		lower, upper := ScopeBounds(o.s)
		require.NoError(t, CheckKey(lower))
		require.NoError(t, CheckKey(upper))
		inside := cockroachkvs.Compare(lower, key) <= 0 && cockroachkvs.Compare(key, upper) < 0
		require.Equal(t, k.s == o.s || o.s == SystemScope, inside)

		end := AppendRangeEnd(nil, o.s, o.p, o.user)
		require.NoError(t, CheckKey(end))
		if k.s == o.s && k.p == o.p {
			below := cockroachkvs.Compare(key, end) < 0
			require.Equal(t, o.user == "" || k.user < o.user, below)
		}
		from, err := AppendKey(nil, o.s, o.p, "")
		require.NoError(t, err)
		to := AppendRangeEnd(nil, o.s, o.p, "")
		inside = cockroachkvs.Compare(from, key) <= 0 && cockroachkvs.Compare(key, to) < 0
		require.Equal(t, k.s == o.s && k.p == o.p, inside)
	})
}

// R022: any bytes, also none, NUL, and as long as the limit.
func TestR022UserKeys(t *testing.T) {
	for _, user := range []string{"", "\x00", "\x00\x00\x09", "a/b", "r/0000000001/k/", "日本語 🙂",
		"\xff\xff", strings.Repeat("x", MaxKeySize), strings.Repeat("\x00", MaxKeySize)} {
		k := keyParts{s: 7, p: KV, user: user, version: 9}
		s, p, got, version, err := DecodeKey(k.encode(t))
		require.NoError(t, err)
		require.Equal(t, k, keyParts{s, p, string(got), version})
	}
}

func TestKeyLimits(t *testing.T) {
	dst := []byte("before")
	_, err := AppendKey(dst, 1, KV, strings.Repeat("x", MaxKeySize+1))
	require.ErrorIs(t, err, ErrTooLarge)
	require.EqualError(t, err, "key is too large: 8193, limit 8192")
	got, err := AppendKey(dst, MaxScope+1, KV, "x")
	require.ErrorIs(t, err, ErrInvalidArgument)
	require.Equal(t, dst, got)
	for _, p := range []Primitive{0, '/', '[', '{', 0xff, 0x80 | 'k'} {
		_, err = AppendKey(nil, 1, p, "x")
		require.ErrorIs(t, err, ErrInvalidArgument)
	}
	_, err = AppendKey(nil, SystemScope, 'r', "0000000001/k/x")
	require.ErrorIs(t, err, ErrInvalidArgument, "it would be a key of scope 1")
	_, err = AppendKey(nil, SystemScope, Expiries, strings.Repeat("x", MaxKeySize+100))
	require.NoError(t, err)
	_, err = AppendKey(nil, 1, KV.Index(), strings.Repeat("x", MaxInternalKeySize+1))
	require.ErrorIs(t, err, ErrTooLarge)
	require.Equal(t, Primitive('K'), KV.Index())
	require.True(t, KV.Index().IsIndex() && !KV.IsIndex())

	// A scope number out of range yields a prefix that no scope shares.
	_, _, _, _, err = DecodeKey(append(KeyPrefix(nil, MaxScope+1, KV), 0))
	require.ErrorIs(t, err, ErrCorrupt)
}

func TestKeyFaultsAreNamed(t *testing.T) {
	for _, c := range []struct{ key, want string }{
		{"", "it is empty"},
		{"\x00", "nothing before the sentinel"},
		{"k/a", "last byte is 0x61, expected 0x00 or 0x09"},
		{"k/a\x0012345678\x09", ""},
		{"k/a1\x00234567\x09", "no sentinel 9 bytes before the end"},
		{"\x0012345678\x09", "no sentinel 9 bytes before the end"},
		{"k/a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09", "version 0 written out"},
		{"k\x00", "expected a letter and a slash"},
		{"1/\x00", "expected a letter and a slash"},
		{"r/000000001/k/\x00", "no scope number and primitive"},
		{"r/00000000011/k/\x00", "no scope number and primitive"},
		{"r/000000000A/k/\x00", "ten lower-case hex digits"},
		{"r/0000000000/k/\x00", "ten lower-case hex digits"},
		{"r/0000000001/k\x00", "no scope number and primitive"},
		{"r/0000000001/kk\x00", "expected a letter and a slash"},
		{"r/0000000001/-/\x00", "expected a letter and a slash"},
		{"r/0000000001/k/" + strings.Repeat("x", MaxKeySize+1) + "\x00", "limit 8192"},
	} {
		_, _, _, _, err := DecodeKey([]byte(c.key))
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrCorrupt, "%q", c.key)
		require.ErrorContains(t, err, c.want, "%q", c.key)
	}
}

func TestPatching(t *testing.T) {
	b, err := AppendKey(nil, 42, KV, "goal")
	require.NoError(t, err)
	b = AppendVersion(b, 1<<64-1)
	PatchVersion(b, 77)
	require.Equal(t, keyParts{42, KV, "goal", 77}.encode(t), b)

	c := AppendCommitKey(nil, 0)
	require.Len(t, c, CommitKeyLen)
	PatchHex16(c[CommitKeyVersionOffset:], 0xbeef)
	require.Equal(t, AppendCommitKey(nil, 0xbeef), c)
	version, err := DecodeCommitKey(c)
	require.NoError(t, err)
	require.Equal(t, uint64(0xbeef), version)

	for _, s := range []Scope{SystemScope, 42} {
		for _, part := range []int{0, 1, MaxJournalParts - 1} {
			j := AppendJournalKey(nil, s, 0, part)
			require.Error(t, CheckKey(j), "the version must be patched first")
			PatchHex12(j[UserKeyOffset(s):], MaxSequence)
			PatchVersion(j, 5)
			gs, p, user, version, err := DecodeKey(j)
			require.NoError(t, err)
			require.Equal(t, keyParts{s, Journal, "", 5}, keyParts{gs, p, "", version})
			number, gotPart, err := DecodeJournalUserKey(user)
			require.NoError(t, err)
			require.Equal(t, uint64(MaxSequence), number)
			require.Equal(t, part, gotPart)
		}
		e := AppendEventKey(nil, s, 256)
		PatchVersion(e, 5)
		_, p, user, _, err := DecodeKey(e)
		require.NoError(t, err)
		require.Equal(t, Events, p)
		require.Equal(t, EventUserKey(256), string(user))
	}
}

// R023: event 256 comes after event 255, part 1 after part 0 and before the next number.
func TestR023NumbersSortAsNumbers(t *testing.T) {
	require.Less(t, EventUserKey(255), EventUserKey(256))
	a, b := AppendJournalKey(nil, 1, 9, 0), AppendJournalKey(nil, 1, 9, 1)
	c := AppendJournalKey(nil, 1, 10, 0)
	for _, k := range [][]byte{a, b, c} {
		PatchVersion(k, 3)
	}
	require.Negative(t, cockroachkvs.Compare(a, b))
	require.Negative(t, cockroachkvs.Compare(b, c))
	require.Negative(t, cockroachkvs.Compare(AppendCommitKey(nil, 255), AppendCommitKey(nil, 256)))
}

func TestNumberKeysRefuse(t *testing.T) {
	for _, bad := range []string{"", "00000000000", "00000000000g", "00000000000A", "0000000000001",
		"000000000001.0000", "000000000001.001", "000000000001-0001", "000000000001.00011"} {
		_, _, err := DecodeJournalUserKey([]byte(bad))
		require.ErrorIs(t, err, ErrCorrupt, bad)
		_, err = DecodeEventUserKey(bad)
		require.ErrorIs(t, err, ErrCorrupt, bad)
	}
	seq, err := DecodeEventUserKey("0000000000ff")
	require.NoError(t, err)
	require.Equal(t, uint64(255), seq)
	for _, bad := range []string{"", "c/000000000000000\x00", "c/0000000000000000\x00",
		"c/000000000000000g\x00", "d/0000000000000001\x00", "c/0000000000000001\x01"} {
		_, err = DecodeCommitKey([]byte(bad))
		require.ErrorIs(t, err, ErrCorrupt, bad)
	}
}

// R031: the expiry index is in the order of deadlines.
func TestExpiryKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := drawKey(t)
		a := rapid.Int64Min(0).Draw(t, "a")
		b := rapid.Int64Min(0).Draw(t, "b")
		ea, eb := ExpiryUserKey(a, k.s, k.p, k.user), ExpiryUserKey(b, k.s, k.p, k.user)
		require.Equal(t, cmp.Compare(a, b), cmp.Compare(ea, eb))
		d, s, p, user, err := DecodeExpiryUserKey(ea)
		require.NoError(t, err)
		require.Equal(t, a, d)
		require.Equal(t, keyParts{k.s, k.p, k.user, 0}, keyParts{s, p, user, 0})
	})
	require.Equal(t, "0000000000000000/0000000001/k/x", ExpiryUserKey(-5, 1, KV, "x"))
	longest := ExpiryUserKey(1, 1, KV, strings.Repeat("x", MaxKeySize))
	_, err := AppendKey(nil, SystemScope, Expiries, longest)
	require.NoError(t, err)
	for _, bad := range []string{"", "8000000000000000/0000000001/k/",
		"000000000000000G/0000000001/k/",
		"0000000000000000/000000000g/k/", "0000000000000000/0000000001/-/",
		"0000000000000000-0000000001/k/",
		"0000000000000000/0000000001-k/", "0000000000000000/0000000001/k-", longest + "x"} {
		_, _, _, _, err := DecodeExpiryUserKey(bad)
		require.ErrorIs(t, err, ErrCorrupt, bad)
	}
}

func TestFormatKey(t *testing.T) {
	require.Equal(t, `r/000000002a/k/"goal"`, FormatKey(42, KV, "goal"))
	require.Equal(t, `s/"\x00"`, FormatKey(SystemScope, ScopeRecords, "\x00"))
}

func FuzzDecodeKey(f *testing.F) {
	f.Add(keyParts{42, KV, "goal", 7}.encode(f))
	f.Add(keyParts{0, Commits, "\x00\x09", 0}.encode(f))
	f.Add([]byte("r/000000002a/k0\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, p, user, version, err := DecodeKey(b)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
		} else {
			require.Equal(t, b, keyParts{s, p, string(user), version}.encode(t))
		}
		if CheckKey(b) == nil {
			engineRoundTrip(t, [][]byte{b})
		}
	})
}

func FuzzDecodeExpiryUserKey(f *testing.F) {
	f.Add(ExpiryUserKey(1e18, 42, KV, "goal"))
	f.Fuzz(func(t *testing.T, user string) {
		d, s, p, key, err := DecodeExpiryUserKey(user)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		require.Equal(t, user, ExpiryUserKey(d, s, p, key))
	})
}

// Keys of the system scope and of indexes that are made of parts: each comes back, and nothing else
// is taken for one.
func TestComposedKeys(t *testing.T) {
	odd := rapid.SampledFrom([]string{"", "\x00", "/", "\xff", "@", "__meta__", "a", "a\x00\xff",
		strings.Repeat("x", 1<<10)})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := odd.Draw(t, "a"), odd.Draw(t, "b"), odd.Draw(t, "c")
		key := SharedKey(a, b, c)
		tenant, app, agent, err := DecodeSharedKey(key)
		require.NoError(t, err)
		require.Equal(t, [3]string{a, b, c}, [3]string{tenant, app, agent})
		_, err = AppendKey(nil, SystemScope, ScopeRecords, key)
		require.NoError(t, err)
		require.NotEqual(t, 36, strings.IndexByte(key, '@'))

		n := Scope(rapid.Uint64Range(1, uint64(MaxScope)).Draw(t, "scope"))
		got, err := DecodeGraveUserKey(GraveUserKey(n))
		require.NoError(t, err)
		require.Equal(t, n, got)

		seq := rapid.Uint64Max(MaxSequence).Draw(t, "seq")
		user := EventTypeKey(a, seq)
		require.True(t, strings.HasPrefix(user, EventTypePrefix(a)))
		typ, n2, err := DecodeEventTypeKey(user)
		require.NoError(t, err)
		require.Equal(t, a, typ)
		require.Equal(t, seq, n2)
		if a != b {
			require.False(t, strings.HasPrefix(user, EventTypePrefix(b)))
		}
		engine := AppendEventTypeKey(nil, n, a, 7)
		PatchHex12(engine[len(engine)-EventTypeSequenceOffset:], seq)
		PatchVersion(engine, 9)
		require.Equal(t, keyParts{n, Events.Index(), user, 9}.encode(t), engine)
		engine = AppendEventKey(nil, n, 7)
		PatchHex12(engine[len(engine)-EventTypeSequenceOffset:], seq)
		PatchVersion(engine, 9)
		require.Equal(t, keyParts{n, Events, EventUserKey(seq), 9}.encode(t), engine)
	})
	two := string(Tuple("@").AppendString("a").AppendString("b"))
	for _, bad := range []string{"", "a", "@", two, two + "x", two + string(Tuple(nil).AppendInt(1)),
		SharedKey("a", "b", "c") + "\x10", "0190163d-8694-739b-aea5-966c26f8ad91"} {
		_, _, _, err := DecodeSharedKey(bad)
		require.ErrorIs(t, err, ErrCorrupt, "%q", bad)
	}
	for _, bad := range []string{"", "0000000000", "000000002A", "00000002a", "000000002a0"} {
		_, err := DecodeGraveUserKey(bad)
		require.ErrorIs(t, err, ErrCorrupt, "%q", bad)
	}
}
