package inmem

// GoOver is o for a comparison that goes over so many keys of a primitive in any case; see
// smallDiff.
func GoOver(keys int, o DiffOptions) DiffOptions {
	o.small = keys
	return o
}
