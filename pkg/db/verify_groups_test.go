package inmem_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// groupPlants spoil records of several commits that share a key.
var groupPlants = []plant{
	{"a group of commit records is cut", inmem.ProblemCommit, "", "corrupt",
		func(_ *victim, s *stored) {
			key := s.grouped(0, codec.Commits)
			value := s.get(key)
			s.set(key, value[:len(value)-1])
		}},
	{"a group of commit records lacks one", inmem.ProblemCommit, "", "was found before it",
		func(_ *victim, s *stored) { s.thin(s.grouped(0, codec.Commits)) }},
	{"a group of journal records is cut", inmem.ProblemJournal, "", "corrupt",
		func(v *victim, s *stored) {
			key := s.grouped(v.runScope, codec.Journal)
			value := s.get(key)
			s.set(key, value[:len(value)-1])
		}},
	{"a group of journal records lacks one", inmem.ProblemJournal, "", "",
		func(v *victim, s *stored) { s.thin(s.grouped(v.runScope, codec.Journal)) }},
}

// keyVersion is the version that the key of a commit or journal record names.
func (s *stored) keyVersion(key []byte) uint64 {
	if version, err := codec.DecodeCommitKey(key); err == nil {
		return version
	}
	_, _, _, version, err := codec.DecodeKey(key)
	require.NoError(s.t, err)
	return version
}

// grouped is the key of some group of at least three records.
func (s *stored) grouped(n codec.Scope, p codec.Primitive) []byte {
	for _, key := range s.all(n, p) {
		if g := codec.OpenGroup(s.keyVersion(key), s.get(key)); g.Left() > 2 {
			return key
		}
	}
	require.Fail(s.t, "no records share a key", "%s of scope %d", p, n)
	return nil
}

// thin takes the second record out of a group.
func (s *stored) thin(key []byte) {
	var rest codec.GroupBuilder
	g := codec.OpenGroup(s.keyVersion(key), s.get(key))
	for i := 0; g.Next(); i++ {
		if i != 1 {
			rest.Add(g.Version(), g.Record())
		}
	}
	require.NoError(s.t, g.Err())
	s.set(key, rest.Append(nil))
}

// ungroup gives every commit and journal record a key of its own, which says the same.
func (s *stored) ungroup(scopes ...codec.Scope) {
	for _, n := range append(scopes, 0) {
		for _, key := range s.all(n, codec.Journal) {
			_, _, user, version, err := codec.DecodeKey(key)
			require.NoError(s.t, err)
			number, _, err := codec.DecodeJournalUserKey(user)
			require.NoError(s.t, err)
			value := s.get(key)
			g := codec.OpenGroup(version, value)
			for g.Next() {
				own := codec.AppendJournalKey(nil, n, number-uint64(g.Left()), 0)
				codec.PatchVersion(own, g.Version())
				s.set(own, g.Record())
			}
			require.NoError(s.t, g.Err())
		}
	}
	for _, key := range s.all(0, codec.Commits) {
		g := codec.OpenGroup(s.keyVersion(key), s.get(key))
		for g.Next() {
			s.set(codec.AppendCommitKey(nil, g.Version()), g.Record())
		}
		require.NoError(s.t, g.Err())
	}
}

// Small commits share the keys of what they say of themselves, and damage to it is found.
func TestVerifyFindsDamagedGroups(t *testing.T) {
	whole := newVictim(t)
	for _, p := range groupPlants {
		t.Run(p.name, func(t *testing.T) {
			require.NotEmpty(t, whole.found(t, p))
		})
	}
}
