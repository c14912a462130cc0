package session

// keepStatements is how many statements that have ended are known at all.
const keepStatements = 10_000

// shelf keeps statements that have ended, for as long as there is room. The
// control plane stores them, so they are here for one that comes back.
type shelf struct {
	limit     int64 // bytes of output in all
	weight    int64
	ended     []*statement // in the order in which they ended
	forgotten int          // no statement up to this id is known, but for those that have not ended
}

// add puts a statement on the shelf, and returns the ids of those that fall
// off. Outputs go first that somebody has read, the oldest ones first.
func (s *shelf) add(st *statement) (forgotten []int) {
	s.ended = append(s.ended, st)
	s.weight += st.weight
	for _, told := range []bool{true, false} {
		for _, old := range s.ended[:len(s.ended)-1] {
			if s.weight <= s.limit {
				break
			}
			if old.weight > 0 && old.told == told {
				s.weight -= old.weight
				old.drop()
			}
		}
	}
	for len(s.ended) > keepStatements {
		old := s.ended[0]
		s.ended = s.ended[1:]
		s.weight -= old.weight
		s.forgotten = max(s.forgotten, old.id)
		forgotten = append(forgotten, old.id)
	}
	return forgotten
}
