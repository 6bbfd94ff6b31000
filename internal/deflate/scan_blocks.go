package deflate

// What a Scanner does with each part of a block (RFC 1951, section 3.2). Each step
// reports whether it is done: else it waits for more bits, or more is set, and it
// waits for room.

func (s *Scanner) head() (bool, error) {
	if s.lasts == maxStreams && s.need(1) {
		return false, ErrCorrupt
	}
	if !s.need(3) {
		return false, nil
	}
	s.last = s.take(1) != 0
	switch s.take(2) {
	case 0:
		s.take(s.n % 8)
		s.step = atSizes
	case 1:
		s.lit, s.dist, s.step = fixedLit, fixedDist, atData
	case 2:
		s.step = atCounts
	default:
		return false, ErrCorrupt
	}
	return true, nil
}

// end is that of a block. After a last one the next begins at a byte (RFC 7692,
// 7.2.3.4).
func (s *Scanner) end() {
	s.step = atHead
	if s.last {
		s.take(s.n % 8)
		s.lasts++
	}
}

func (s *Scanner) sizes() (bool, error) {
	if !s.need(32) {
		return false, nil
	}
	size, complement := uint16(s.take(16)), uint16(s.take(16))
	if size != ^complement {
		return false, ErrCorrupt
	}
	s.length, s.step = int(size), atStored
	return true, nil
}

func (s *Scanner) stored() (ok, more bool, err error) {
	for s.length > 0 {
		if s.n == 0 && len(s.in) == 0 {
			return false, false, nil
		}
		if more, err = s.full(); more || err != nil {
			return false, more, err
		}
		if s.n > 0 { // whole bytes
			s.append(byte(s.take(8)))
			s.length--
			continue
		}
		s.b = 0 // refill has left bits there that are in in, too
		k := min(s.length, len(s.in), s.grow(s.length))
		s.out = append(s.out, s.in[:k]...)
		s.in = s.in[k:]
		s.made += int64(k)
		s.length -= k
	}
	s.end()
	return true, false, nil
}

// counts reads how many codes a dynamic block has (RFC 1951, 3.2.7).
func (s *Scanner) counts() (bool, error) {
	if !s.need(14) {
		return false, nil
	}
	s.lits, s.dists, s.codes = s.take(5)+257, s.take(5)+1, s.take(4)+4
	if s.lits > 286 || s.dists > 30 {
		return false, ErrCorrupt
	}
	clear(s.lengths[:len(codeOrder)])
	s.have, s.step = 0, atCodes
	return true, nil
}

// codeLengths reads the lengths of the codes that the others' are in.
func (s *Scanner) codeLengths() (bool, error) {
	for ; s.have < s.codes; s.have++ {
		if !s.need(3) {
			return false, nil
		}
		s.lengths[codeOrder[s.have]] = uint8(s.take(3))
	}
	if s.own == nil {
		s.own = new([2]huffman)
	}
	if !s.own[0].init(s.lengths[:len(codeOrder)]) {
		return false, ErrCorrupt
	}
	s.have, s.step = 0, atLengths
	return true, nil
}

// allLengths reads the lengths of a dynamic block's codes.
func (s *Scanner) allLengths() (bool, error) {
	lit, dist := &s.own[0], &s.own[1]
	for n := s.lits + s.dists; s.have < n; {
		if s.n < 14 {
			s.refill() // enough for each: 7+7
		}
		c := lit.code(s.b)
		used := uint(c & 15)
		if c == 0 {
			return false, ErrCorrupt
		}
		v, again := uint8(c>>4), 1
		if v < 16 {
			if used > s.n {
				return false, nil
			}
			s.take(used)
		} else {
			x := [3]span{{3, 2}, {3, 3}, {11, 7}}[v-16]
			if used+uint(x.extra) > s.n {
				return false, nil
			}
			s.take(used)
			again = int(x.base) + s.take(uint(x.extra))
			if v > 16 {
				v = 0
			} else if s.have == 0 {
				return false, ErrCorrupt
			} else {
				v = s.lengths[s.have-1]
			}
		}
		if again > n-s.have {
			return false, ErrCorrupt
		}
		for ; again > 0; again-- {
			s.lengths[s.have] = v
			s.have++
		}
	}
	if !lit.init(s.lengths[:s.lits]) || !dist.init(s.lengths[s.lits:s.lits+s.dists]) {
		return false, ErrCorrupt
	}
	s.lit, s.dist, s.step = lit, dist, atData
	return true, nil
}

// data decodes a compressed block.
func (s *Scanner) data() (ok, more bool, err error) {
	for {
		if s.n < 48 {
			s.refill() // enough for all of a match: 15+5+15+13
		}
		c := s.lit.code(s.b)
		used, symbol := uint(c&15), c>>4
		switch {
		case c == 0:
			return false, false, ErrCorrupt
		case used > s.n:
			return false, false, nil
		case symbol < endBlock:
			if more, err = s.full(); more || err != nil {
				return false, more, err
			}
			s.take(used)
			s.append(byte(symbol))
			continue
		case symbol == endBlock:
			s.take(used)
			s.end()
			return true, false, nil
		case symbol > 285:
			return false, false, ErrCorrupt
		}
		length := lengthOf[symbol-257]
		from := used
		if used += uint(length.extra); used > s.n {
			return false, false, nil
		}
		d := s.dist.code(s.b >> used)
		if d == 0 {
			return false, false, ErrCorrupt
		}
		if used += uint(d & 15); used > s.n {
			return false, false, nil
		}
		if d>>4 > 29 {
			return false, false, ErrCorrupt
		}
		distance := distanceOf[d>>4]
		if used+uint(distance.extra) > s.n {
			return false, false, nil
		}
		s.take(from)
		s.length = int(length.base) + s.take(uint(length.extra))
		s.take(uint(d & 15))
		s.distance = int(distance.base) + s.take(uint(distance.extra))
		if s.distance > len(s.out) {
			return false, false, ErrCorrupt
		}
		s.step = atMatch
		if ok, more, err = s.match(); !ok {
			return false, more, err
		}
	}
}

// match appends what is there the distance back, which may run into what it
// appends.
func (s *Scanner) match() (ok, more bool, err error) {
	for s.length > 0 {
		if more, err = s.full(); more || err != nil {
			return false, more, err
		}
		k := min(s.length, s.distance, s.grow(s.length))
		from := len(s.out) - s.distance
		s.out = append(s.out, s.out[from:from+k]...)
		s.made += int64(k)
		s.length -= k
	}
	s.step = atData
	return true, false, nil
}
