package inmem_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R021, R035: the same for the names that are above the run: tenants, ids, words to search by.
func TestR035HostileNamesAboveRuns(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		x := newNames(t, e)
		before := x.dump()
		for i, name := range hostileNames(someID, x.run.ID()) {
			if testing.Short() && i%3 > 0 {
				continue
			}
			x.refuses(name)
			require.Empty(t, before.differences(x.dump()), "%.60q", name)
			x.namespaces(name)
			if utf8Text(1<<10)(name) == nil && name != "" {
				n, err := x.DeleteTenant(x.ctx(), name)
				require.NoError(t, err)
				require.Equal(t, 2, n, "%.60q", name)
			}
			require.Empty(t, before.differences(x.dump()), "%.60q outlives its tenant", name)
		}
		report, err := x.Runs().Verify(x.ctx())
		require.NoError(t, err)
		require.True(t, report.Healthy(), "%+v", report)
	})
}

// refuses uses a name as what no name is: the id of a run, a page's token, a tenant to delete.
func (x *names) refuses(name string) {
	x.t.Helper()
	version := x.Version()
	isID := len(name) == 36 && name != "" && strings.Count(name, "-") == 4
	missing := filled(func(string) error { return inmem.ErrInvalidArgument })
	for what, do := range map[string]func() error{
		"run":    func() error { _, err := x.Run(x.ctx(), name); return err },
		"get":    func() error { _, err := x.Runs().Get(x.ctx(), name); return err },
		"delete": func() error { return x.DeleteRun(x.ctx(), name) },
		"begin": func() error {
			_, err := x.BeginRun(x.ctx(), inmem.RunOptions{ID: name})
			return err
		},
		"parent": func() error {
			_, err := x.BeginRun(x.ctx(), inmem.RunOptions{Parent: name})
			return err
		},
		"token": func() error {
			_, err := x.Runs().Query(x.ctx(), inmem.RunQuery{Token: name})
			return err
		},
	} {
		optional := what == "begin" || what == "parent" || what == "token"
		if isID && what != "token" || name == "" && optional {
			continue
		}
		require.ErrorIs(x.t, do(), missing(name), "%s %.60q", what, name)
	}
	n, err := x.DeleteTenant(x.ctx(), name)
	require.Zero(x.t, n, "%.60q", name)
	x.judge(trial{what: "delete tenant", rule: filled(utf8Text(1 << 10))}, name, err)
	require.Equal(x.t, version, x.Version(), "%.60q", name)
}

// namespaces begins runs in namespaces with a name, and uses shared ones.
func (x *names) namespaces(name string) {
	x.t.Helper()
	for i, o := range []inmem.RunOptions{
		{Tenant: name}, {Tenant: name, App: name, Agent: name, Tags: []string{"t"}},
	} {
		version := x.Version()
		run, err := x.BeginRun(x.ctx(), o)
		x.judge(trial{what: "tenant", rule: utf8Text(1 << 10)}, name, err)
		if err != nil {
			require.Equal(x.t, version, x.Version())
			continue
		}
		_, err = run.KV().Put(x.ctx(), "a", inmem.String(name))
		require.NoError(x.t, err)
		require.NoError(x.t, run.Record().Fail(x.ctx(), name))
		info, err := run.Info(x.ctx())
		require.NoError(x.t, err)
		require.Equal(x.t, name, info.Error)
		n, err := x.Runs().Count(x.ctx(), inmem.RunQuery{Tenant: name})
		require.NoError(x.t, err)
		page, err := x.Runs().Query(x.ctx(), inmem.RunQuery{Tenant: name, Reverse: true, Limit: 1})
		require.NoError(x.t, err)
		if name != "" {
			require.Equal(x.t, i+1, n, "%.60q", name)
			require.Equal(x.t, []string{o.Tenant, o.App, o.Agent},
				[]string{page.Runs[0].Tenant, page.Runs[0].App, page.Runs[0].Agent})
		} else {
			require.NoError(x.t, x.DeleteRun(x.ctx(), run.ID()))
		}
	}
	for _, n := range []inmem.Namespace{{Tenant: name}, {Tenant: name, App: name, Agent: name}} {
		version := x.Version()
		shared, err := x.Shared(x.ctx(), n)
		x.judge(trial{what: "shared", rule: filled(utf8Text(1 << 10))}, name, err)
		if err != nil {
			require.Equal(x.t, version, x.Version())
			continue
		}
		count, err := shared.KV().Count(x.ctx(), inmem.ScanOptions{})
		require.NoError(x.t, err)
		require.Zero(x.t, count, "%.60q shows the keys of another namespace", name)
		_, err = shared.KV().Put(x.ctx(), "a", inmem.String(name))
		require.NoError(x.t, err)
	}
}
