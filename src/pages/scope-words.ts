/** `own`: what exists already ("Read your calendar"); `bare`: what is made or sent ("Send email"). */
interface Resource {
  readonly own: string;
  readonly bare: string;
}
interface Action {
  readonly verb: string;
  readonly form: keyof Resource;
}

const thing = (bare: string, own = `your ${bare}`): Resource => ({ own, bare });
const toOwn = (verb: string): Action => ({ verb, form: 'own' });
const making = (verb: string): Action => ({ verb, form: 'bare' });

/** Resources that can be named without quoting the developer. */
export const RESOURCES: Readonly<Record<string, Resource>> = {
  accounts: thing('accounts'),
  addresses: thing('addresses'),
  appointments: thing('appointments'),
  bookings: thing('bookings'),
  calendar: thing('calendar events', 'your calendar'),
  chat: thing('chat messages'),
  contacts: thing('contacts'),
  documents: thing('documents'),
  email: thing('email'),
  emails: thing('email'),
  events: thing('events'),
  files: thing('files'),
  flights: thing('flights'),
  hotels: thing('hotels'),
  invoices: thing('invoices'),
  issues: thing('issues'),
  location: thing('location'),
  mail: thing('email'),
  messages: thing('messages'),
  notes: thing('notes'),
  notifications: thing('notifications'),
  orders: thing('orders'),
  payments: thing('payments'),
  photos: thing('photos'),
  posts: thing('posts'),
  profile: thing('profile'),
  purchases: thing('purchases'),
  reminders: thing('reminders'),
  repositories: thing('repositories'),
  reservations: thing('reservations'),
  settings: thing('settings'),
  subscriptions: thing('subscriptions'),
  tasks: thing('tasks'),
  tickets: thing('tickets'),
  transactions: thing('transactions'),
  transfers: thing('transfers'),
  travel: thing('travel', 'your travel arrangements'),
  trips: thing('trips'),
};

/** Actions whose meaning is certain enough to be put into words. A word that is unsure belongs in quotes: leave it out. */
export const ACTIONS: Readonly<Record<string, Action>> = {
  '*': toOwn('Do anything with'),
  add: making('Add'),
  admin: toOwn('Fully control'),
  all: toOwn('Do anything with'),
  approve: toOwn('Approve'),
  archive: toOwn('Archive'),
  book: making('Book'),
  cancel: toOwn('Cancel'),
  create: making('Create'),
  delete: toOwn('Delete'),
  download: toOwn('Download'),
  edit: toOwn('Change'),
  export: toOwn('Export'),
  full: toOwn('Do anything with'),
  initiate: making('Initiate'),
  list: toOwn('List'),
  make: making('Make'),
  manage: toOwn('Read, change and delete'),
  modify: toOwn('Change'),
  post: making('Post'),
  publish: making('Publish'),
  purchase: making('Purchase'),
  read: toOwn('Read'),
  readonly: toOwn('Read'),
  remove: toOwn('Remove'),
  schedule: making('Schedule'),
  search: toOwn('Search'),
  send: making('Send'),
  share: toOwn('Share'),
  update: toOwn('Change'),
  upload: making('Upload'),
  view: toOwn('See'),
  write: toOwn('Make changes to'),
};
