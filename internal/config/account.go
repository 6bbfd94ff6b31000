package config

import (
	"fmt"
	"os/user"
	"strconv"
)

// UserID gives the number of a user by name or number; one given as a number need not exist.
func UserID(account string) (uint32, error) {
	return accountID(account, func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
}

// GroupID gives the number of a group by name or number; one given as a number need not exist.
func GroupID(account string) (uint32, error) {
	return accountID(account, func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
}

func accountID(account string, byName func(string) (string, error)) (uint32, error) {
	n, err := strconv.ParseUint(account, 10, 32)
	if err != nil {
		id, err := byName(account)
		if err != nil {
			return 0, err
		}
		n, err = strconv.ParseUint(id, 10, 32)
		if err != nil {
			return 0, err
		}
	}
	return uint32(n), nil
}

// Allowed gives the numbers of AllowUsers and AllowGroups. A name that nobody has is an error: whom it was meant to let in would find
// the door closed, and whoever gets the name later find it open.
func (a *Admin) Allowed() (uids, gids []uint32, err error) {
	for _, name := range a.AllowUsers {
		id, err := UserID(name)
		if err != nil {
			return nil, nil, fmt.Errorf("config: admin.allow_users: %q: %w", name, err)
		}
		uids = append(uids, id)
	}
	for _, name := range a.AllowGroups {
		id, err := GroupID(name)
		if err != nil {
			return nil, nil, fmt.Errorf("config: admin.allow_groups: %q: %w", name, err)
		}
		gids = append(gids, id)
	}
	return uids, gids, nil
}
