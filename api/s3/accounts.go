package s3

import (
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3err"
)

// accounts is versitygw's account service over the access keys of the service.
//
// Every key is an administrator of one and the same account, whose name is the
// service's account number and not the key: what belongs to it still does after
// a rotation, and x-amz-expected-bucket-owner may be given as on AWS.
type accounts struct {
	keys  Keys
	owner string
}

var (
	_ auth.IAMService       = (*accounts)(nil)
	_ auth.FixedBucketOwner = (*accounts)(nil)
)

// GetUserAccount is asked at each request: nothing is cached, so that a key
// works, and stops working, at once.
func (a *accounts) GetUserAccount(accessKeyID string) (auth.Account, error) {
	secret, ok := a.keys.Secret(accessKeyID)
	if !ok {
		return auth.Account{}, auth.ErrNoSuchUser
	}
	account := a.BucketOwner()
	account.Secret = secret
	return account, nil
}

// BucketOwner is the account that owns every bucket, whoever makes it.
func (a *accounts) BucketOwner() auth.Account {
	return auth.Account{Access: a.owner, Role: auth.RoleAdmin}
}

// ResolveAccounts returns those of the names, which come from bucket policies
// and grants, that stand for nobody.
func (a *accounts) ResolveAccounts(names []string) ([]string, error) {
	missing := []string{}
	for _, name := range names {
		if _, ok := a.keys.Secret(name); !ok && name != a.owner {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// Accounts are not managed through S3. The routes that would call these do not
// exist either: the server is made without its administration API.

func (a *accounts) CreateAccount(auth.Account) error { return errNotManaged }

func (a *accounts) UpdateUserAccount(string, auth.MutableProps) error { return errNotManaged }

func (a *accounts) DeleteUserAccount(string) error { return errNotManaged }

func (a *accounts) ListUserAccounts() ([]auth.Account, error) { return nil, errNotManaged }

func (a *accounts) Shutdown() error { return nil }

var errNotManaged = s3err.GetAPIError(s3err.ErrAdminMethodNotSupported)
