package main

import (
	"go/types"
	"strings"
)

// reach adds every type of this module that a type mentions.
func (d *description) reach(t types.Type) {
	switch t := t.(type) {
	case *types.Alias:
		d.name(t.Obj())
		for arg := range t.TypeArgs().Types() {
			d.reach(arg)
		}
	case *types.Named:
		d.name(t.Origin().Obj())
		for arg := range t.TypeArgs().Types() {
			d.reach(arg)
		}
	case *types.Struct:
		for f := range t.Fields() {
			d.reach(f.Type())
		}
	case *types.Interface:
		for e := range t.EmbeddedTypes() {
			d.reach(e)
		}
		for m := range t.ExplicitMethods() {
			d.reach(m.Type())
		}
	case *types.Union:
		for term := range t.Terms() {
			d.reach(term.Type())
		}
	case *types.Signature:
		for p := range t.TypeParams().TypeParams() {
			d.reach(p.Constraint())
		}
		d.reach(t.Params())
		d.reach(t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			d.reach(v.Type())
		}
	case *types.Map:
		d.reach(t.Key())
		d.reach(t.Elem())
	case interface{ Elem() types.Type }: // pointers, slices, arrays, channels
		d.reach(t.Elem())
	}
}

// name adds a type of this module; all others are known to the compiler.
func (d *description) name(tn *types.TypeName) {
	if tn.Pkg() != nil && strings.HasPrefix(tn.Pkg().Path(), module+"/") {
		d.add(tn)
	}
}
