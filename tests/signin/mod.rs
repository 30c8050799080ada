//! Signing in at a real `OpenID` provider, with a real keyring, for a real mail server and an organisation that asks the provider
//! whose a token is. A person is played by a program that walks through the provider's own pages.

mod desktop;
mod flows;
mod lifetime;
mod locked;
mod needed;
mod passwords;
mod rotation;
