package engine

import "runtime/debug"

// ModuleVersion is the version of a module that this program was built with, "?" if it cannot be
// told, as in a test binary.
func ModuleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "?"
	}
	for _, m := range info.Deps {
		if m.Path != path {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		return m.Version
	}
	return "?"
}
