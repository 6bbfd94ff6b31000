package config

import (
	"reflect"
	"testing"
)

func TestAllowed(t *testing.T) {
	a := Admin{AllowUsers: []string{"root", "4242"}, AllowGroups: []string{"4343", "root"}}
	uids, gids, err := a.Allowed()
	if err != nil || !reflect.DeepEqual(uids, []uint32{0, 4242}) || !reflect.DeepEqual(gids, []uint32{4343, 0}) {
		t.Errorf("%v, %v, %v", uids, gids, err)
	}
	for want, a := range map[string]Admin{
		`config: admin.allow_users: "no-such-user": user: unknown user no-such-user`:      {AllowUsers: []string{"root", "no-such-user"}},
		`config: admin.allow_groups: "no-such-group": group: unknown group no-such-group`: {AllowGroups: []string{"no-such-group"}},
	} {
		if uids, gids, err := a.Allowed(); err == nil || err.Error() != want || uids != nil || gids != nil {
			t.Errorf("%v, %v, %v", uids, gids, err)
		}
	}
}
