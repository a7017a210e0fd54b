package diff

import "strings"

// Cursor walks keys in byte order. Key and Value hold for where the last Next led to; Err tells why
// Next answered false.
type Cursor interface {
	Next() bool
	Key() string
	Value() []byte
	Err() error
}

// Merge walks two cursors side by side and calls visit once for every key, in order, with what each
// side has: inA and inB say whether the cursor stands on the key. It ends early, without an error,
// when visit answers false. It keeps nothing, and does not close the cursors.
//
// Errors: those of the cursors.
func Merge[C Cursor](a, b C, visit func(inA, inB bool) bool) error {
	moreA, moreB := a.Next(), b.Next()
	for {
		// A cursor that failed looks like one at its end: before anything is made of that, ask.
		if !moreA {
			if err := a.Err(); err != nil {
				return err
			}
		}
		if !moreB {
			if err := b.Err(); err != nil {
				return err
			}
		}
		if !moreA && !moreB {
			return nil
		}
		order := 0
		switch {
		case !moreB:
			order = -1
		case !moreA:
			order = 1
		default:
			order = strings.Compare(a.Key(), b.Key())
		}
		if !visit(order <= 0, order >= 0) {
			return nil
		}
		if order <= 0 {
			moreA = a.Next()
		}
		if order >= 0 {
			moreB = b.Next()
		}
	}
}
