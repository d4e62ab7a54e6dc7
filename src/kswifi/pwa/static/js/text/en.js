// The texts of the app in English: a line for each key with its text, after the group of keys. {name} is replaced by a value;
// " | " separates steps.
export default `
  back Back
  cancel Cancel
  close Close
  pause Pause
  resume Continue
  copied Copied
  copy Copy {what}
  left left
  used used
  of of {size}
  until Until {day}
  as_of As of {age}.
  again Try again

  nav.
    label Main
    home Home
    esim eSIM
    help Help
    settings You
    skip Skip to the content

  connection.
    wifi WiFi
    line Your session
    mobile Mobile data
    offline Offline
    unknown Online
    control KSWiFi only

  time.
    now just now
    moment under a minute
    ago {time} ago
    minutes {n} min
    hours {n} hours
    days {n} days

  size.
    unlimited Unlimited
    session {size} session
    a_session A session

  state.
    ordered Being prepared
    packaged Ready to download
    downloading Downloading
    downloaded On this phone
    transferring Moving to the eSIM
    stored Stored on the eSIM
    active Session Active
    paused Paused
    exhausted Finished
    expired Expired
    revoked Ended
    failed Did not work

  home.
    title Your internet
    download Download Internet Session
    lead Download internet sessions on WiFi to use later offline
    empty No sessions yet
    under_way On the way
    stored Stored sessions
    recent Recent activity
    details Details

  paused.
    here paused

  stored.
    badge READY

  intent.
    badge WAITING FOR THE NETWORK
    title Waiting for the network.
    lead Asked at {since}. It is sent by itself as soon as there is an answer, until {until}.
    sent Sent. The network has not confirmed it yet.
    now Send now
    undo Take it back
    dropped What you asked for was not answered for a day, so it was dropped. Ask again if you still want it.

  meter.
    label {left} left of {all}
    used {size} used

  fact.
    time_left Time left
    pace At this pace
    lasts lasts to the end
    as_of As of

  offline.
    note You are offline. What you stored works all the same.

  finished.
    title Session finished: back to WiFi
    lead Find WiFi and download the next one.
    next Choose the next stored session, or find WiFi and download one.

  venues.
    title Free WiFi near you
    lead Kept on this phone, for when your data has ended.
    search Name or area
    none The operator has named no places yet.
    link Places with free WiFi

  welcome.
    title WiFi now. Internet later.
    1 Download
    1.more On WiFi. A session is a few kilobytes.
    2 Store
    2.more It goes onto your eSIM, signed.
    3 Browse
    3.more Far from WiFi, until it is used up.

  choose.
    title Choose a session
    button Download Session
    allowance Free data
    left {left} left of {all}
    free Free • {days} days
    paid Unlimited • {days} days
    over More than is left of your free data
    parts Given in parts of {part}: the next comes as you use the last, while there is money for free data.
    pick Pick one of them.
    tiny {size}: only a few KB to download now
    not_wifi You are not on WiFi. Downloading now would spend the session you are using.
    ask Are you on WiFi? On mobile data the download costs you a few KB.
    mobile You are on mobile data. The download costs you a few KB.
    offline This phone is offline. Find WiFi to download.
    ask_yes Yes, download
    ask_no Not now
    mobile_yes Download anyway

  badge.
    free FREE
    unlimited UNLIMITED

  free.
    nothing A WiFi venue gave you a voucher? Its code is good for a free session.
    phone Here a free session needs a phone number that is yours.
    voucher Here a free session needs a voucher of a WiFi venue.
    phone_or_voucher Here a free session needs a phone number that is yours, or a voucher of a WiFi venue.
    verify_phone Verify my phone number
    redeem_voucher Type in a voucher
    verify_phone_or_redeem_voucher Phone number or voucher
    have I have a voucher

  voucher.
    title Voucher
    good The voucher of {venue} is yours: choose a session.

  ask.
    voucher Code of the voucher
    voucher.hint As printed, like 0003-7QK2-M9XT
    voucher.button Use Voucher
    number Phone number
    number.hint Six digits are sent to it.
    number.button Send Me a Code
    code The code
    code.hint Six digits, good for ten minutes and five tries
    code.button Verify

  phone.
    title Your phone number
    verified Your phone number is verified.
    sending The code goes out to {number}…
    sent The code was sent to {number}.
    unknown Nobody knows whether the code went out to {number}. If none comes, ask for another.
    refused No message goes to this number.
    again Ask for another code

  pass.
    title Unlimited pass
    buy Buy for {price}
    see First you see what it gives, then you pay.

  wait.
    lead The free data is used up for now. We can tell you when there is some again.
    join Tell me when there is
    joined You are on the waiting list. You get a message.
    until There is free data again at {at}.

  progress.
    downloading Downloading {size} session…
    downloaded {size} session downloaded
    octets {received} of {total}
    transferring Transferring to eSIM…
    transfer_lead The eSIM stores the session and confirms it.
    proved Your eSIM has confirmed that it holds this session.
    ready Session ready for activation
    install Your session is downloaded. Install its eSIM on your phone to go on.
    small What is downloaded now is small: {octets}. The data itself flows later, when you browse.
    waiting Waiting for your phone
    paused Download of {size} paused
    elsewhere Another window of this app is doing this. This one goes on when that one is closed.
    few a few KB

  seal.
    ok Signature checked on this phone
    bad This session cannot be trusted
    key key {kid}

  activate.
    title Ready when you are
    lead No WiFi needed from here on.
    button Activate Session
    install Install the eSIM
    none Nothing to activate yet
    system Your phone's system
    offline Works without a network: your phone's line finds ours.

  active.
    title Session Active
    lead The network reported it {age}.

  line.
    title Your line
    on The line is on.
    on_lead The session becomes active with the first data that flows.
    used_up Your last session is finished.
    starts_stored This one starts by itself once it is on the eSIM. If you got it before the last one finished, activate it.
    needs_activation Activate this one before you leave the WiFi.

  system.
    android Android
    ios iPhone

  how.
    title Switch the line on
    android Open Settings, then Network & internet, then SIMs | Choose KSWiFi and turn on Use SIM | Set Mobile data to KSWiFi | Turn on Roaming for KSWiFi if there is no data
    ios Open Settings, then Mobile Service | Choose KSWiFi and turn on Turn On This Line | Set Mobile Data to KSWiFi, and turn on Data Roaming
    offline These steps are kept on your phone: they are here without a network too.

  install.
    title Install on this phone
    lead One tap, and your phone asks whether to add KSWiFi.
    one_tap Install on {system}
    wifi Installing needs WiFi, switching on does not.
    qr Or scan from another screen
    qr_lead Sign in here on a second device, open this page there, and scan it with this phone's camera.
    qr_alt QR code that installs the eSIM
    manual Set up by hand
    smdp_address SM-DP+ address
    activation_code Matching ID
    apn APN
    user_name User name
    password Password
    honest Phones take eSIMs only from certified operators. If yours refuses this one, give the session back: nothing is lost.
    manual_lead One field takes the whole code; two take the address and the matching ID.
    whole_code Whole code (LPA)
    waiting Nothing has arrived at the eSIM yet. This page changes by itself when your phone begins.
    fetching Your phone has fetched the eSIM and is installing it.

  session.
    unknown There is no such session here
    waits The next part of this session comes by itself, as soon as there is money for free data again.
    pause Pause Session
    continue Continue Session
    give_back Give it back
    seen What happened
    terms Terms
    failed This session did not work, and nothing was taken for it. Download another one, or ask us.

  statement.
    title History
    hour By hour
    day By day
    when When
    dispute Something wrong with it?
    dispute_lead The network reported this, hour by hour. Write what is wrong: we answer here.
    save Save the statement
    week By week
    week_of Week of {day}

  dispute.
    all All of it
    words What is wrong?
    send Send it
    said You wrote, {at}:

  receipt.
    title Receipt
    size Allowance
    used Used
    ordered Ordered
    until Until
    proof Confirmed by
    iccid eSIM (ICCID)
    key Signed with
    id Number
    units 1 GB is 1,000,000,000 bytes, counted both ways.

  proof.
    por the eSIM
    install_result the eSIM
    provider_status the provider

  esim.
    title Sessions on this eSIM
    lead Used from the top down.
    empty Nothing is stored now
    up Up: {what}
    down Down: {what}
    place Number {n} in the order
    waits Not on the eSIM yet: it is brought there at the next WiFi.
    off This eSIM is off. Turn it on under SIMs in the phone's settings; then it is brought up to date.
    next Continue with the next
    next_hint When one is finished, without asking
    lab Open the lab phone
    ended Ended

  account.
    in Welcome back
    in.lead Sign in to reach your sessions.
    in.button Sign In
    new Make your account
    new.lead A phone number or an email address is all.
    new.button Sign Up
    recover Recover your account
    recover.lead With the recovery code you wrote down.
    recover.button Set New Password
    sign_in Sign in
    sign_up Make an account
    forgot Forgot your password?
    show Show what I type
    offline No network now. You can fill in the form; press again when there is one.
    in.passkey Sign In with a Passkey
    new.passkey Sign Up with a Passkey
    signed_out You were signed out. Sign in again: your sessions are kept.
    code Sign in with a code that is sent to me

  field.
    identifier Phone number or email
    identifier.hint Like 0803 123 4567
    password Password
    password.hint As you chose it
    password.new 12 characters or more. Three words are good.
    new_password New password
    new_password.hint 12 characters or more. Three words are good.
    recovery_code Recovery code
    recovery_code.hint Six groups of four

  recovery.
    title Write this down
    lead If you forget your password, this recovery code is your way back in. It replaces any code from before.
    once It is shown this once. You can get a new one under You.
    done I wrote it down

  passkey.
    why Your fingerprint, face or screen lock opens it. No password to remember.
    not_used No passkey was used. Try again, or use your password.

  settings.
    title You
    theme Look
    language Language
    low_data Low-data mode
    low_data_hint Asks once a minute instead of listening all the time
    alerts Alerts
    alerts_hint At 50, 80, 95 and 100 %, and before a session ends
    alerts_denied Your browser does not let KSWiFi show notifications.
    insecure This page was opened without HTTPS: it cannot work offline or check signatures, so nothing is downloaded here.
    push Also when the app is closed
    push_hint Your browser's notifications. Off until you turn them on.
    sign_out Sign out
    sure Sign out of this device?
    sure_lead Everything of yours is wiped from it. What is on the eSIM stays there.
    sure_offline You are offline: the server learns it later, by itself.
    stay Stay signed in

  security.
    title Sign-in and security
    teaser Devices, password, recovery code, passkeys, your data

  theme.
    system Auto
    dark Dark
    light Light

  language.
    system Auto

  push.
    ask Get a message before it runs out?
    yes Message me
    on You get a message, also when the app is closed.

  about.
    title What is stored where
    lead KSWiFi asks nobody else for anything: no trackers, no other sites.
    device This device
    device.what The app, your sessions with their signatures, what you asked for offline.
    card The eSIM
    card.what Each stored session, and the keys of the line.
    server KSWiFi
    server.what Your phone number or email, and how much of each session is used. Never what you look at.
    held {size} on this device

  alert.
    share {percent} % of your {size} session is used
    ends Your {size} session ends {day}
    finished Session finished: back to WiFi
    gift_received A gift of {size} is on your eSIM
    gift_claimed Your gift of {size} was claimed
    gift_returned Your gift of {size} came back
    move_asked Somebody asked to move your eSIM. Was it you?
    session_due Your next {size} is ready: tap on WiFi
    limit_reached Your own limit for today is reached
    security Your sign-in changed, or a new device signed in. Was it you?

  update.
    ready A new version is here.
    reload Take it

  problem.
    unexpected Something went wrong here. Try again.
    offline No answer from the network. Try again, or wait: what was begun goes on by itself.
    no_lab_phone The lab phone does not answer.
    card_refused The eSIM did not take it yet. It is tried again.
    es9_unreachable The profile server does not answer yet.
    payments_not_set_up Payments are not set up yet, so this one cannot be had. Nothing was taken.
    free_allowance_used_up More than is left of your free data
    device_allowance_used_up This device has had its free data
    card_allowance_used_up This eSIM has had its free data
    too_much_unspent Use some of what you hold first
    free_budget_gone The free data is used up for now
    free_data_stopped Free data is stopped for now
    free_data_not_started Free data has not started yet
    account_held Free data is on hold: call support
    free_data_cooling_down A little later: you have just had one
    phone_not_verified Your phone number has to be verified first
    voucher_needed A voucher of a WiFi venue is needed first
    phone_or_voucher_needed A verified phone number or a voucher is needed first
    kyc_level_too_low The operator has to know who you are first
    free_offer_not_given This one is not given free here
    unknown_voucher This is no voucher of ours: compare it sign by sign.
    voucher_used This voucher was used already: each is good once.
    voucher_expired This voucher has expired: ask at the counter for another.
    voucher_revoked This voucher was called back: ask at the counter for another.
    too_many_attempts Too many tries: wait a quarter of an hour.
    not_a_phone_number A code cannot be sent to this: is it a mobile number?
    phone_code_wrong This is not the code. Tries left: {tries_left}
    phone_code_over This code does not hold any more: ask for another.
    phone_verified_elsewhere Another account has verified this number.
    phone_verification_not_set_up No messages are sent here yet.
    payment_required This one needs a pass.
    not_on_wifi You are not on WiFi: downloading now would spend the session you are using.
    not_a_package This is not a session.
    package_version_unknown This session needs a newer app.
    package_cut_short A part of the session is missing: download it again.
    package_surplus_octets The session was changed: something in it does not belong there.
    package_manifest_damaged The session was changed after it was signed. It was refused.
    package_chunk_damaged A part of the session was changed. It was refused.
    package_unknown_key The session is not signed by this KSWiFi. It was refused.
    package_for_another_card This session is for another eSIM.
    package_for_another_session This is another session than the one asked for.
    package_expired The time of this session is over.
    internal_error Something went wrong on our side.
    passkey_refused This passkey opens no account here.
    passkey_challenge_over That took too long. Try again.
    other This was refused. If it stays so, tell us this word: {code}
    captive_portal This WiFi wants you to log in first. Open your phone's WiFi settings.
    host_not_allowed This address of KSWiFi is not in use. Open it by its usual address.
    origin_not_allowed Open KSWiFi by its usual address.
    csrf_token_wrong Your sign-in was renewed meanwhile. Reload the page.
    headers_too_large Your browser sent too much. Clear its cookies for this page.
    body_too_large That is too long. Make it shorter.
    unsupported_media_type This app is too old. Reload the page.
    range_not_satisfiable The download has changed. Start it again.
    idempotency_key_missing This app is too old. Reload the page.
    idempotency_key_invalid This app is too old. Reload the page.
    idempotency_key_reused This was asked for in another form already. Try again.
    request_in_flight We are working on it. One moment.
    request_took_too_long It takes longer than usual. It is tried again.
    too_many_streams Too many windows of KSWiFi are open. Close one.
    last_event_id_invalid Reload the page.
    page_cursor_invalid The list has changed meanwhile. Reload the page.
    not_ready KSWiFi is starting. Try again in a moment.
    invalid_identifier Write it like 0803 123 4567 or ada@example.ng.
    invalid_number One of the numbers cannot be right. Check it.
    invalid_request Something that you typed cannot be used: it is empty or too long.
    malformed_json This app is too old. Reload the page.
    malformed_request This app is too old. Reload the page.
    not_found There is nothing at this address.
    method_not_allowed This app is too old. Reload the page.
    weak_password This password is too easy to guess. Take 12 characters or more: three words are good.
    already_registered This number or address has an account already. Sign in, or use your recovery code.
    wrong_credentials Phone number, email or password is wrong.
    wrong_recovery_code Phone number, email or recovery code is wrong.
    not_signed_in Sign in first.
    login_expired Your sign-in has ended. Sign in again.
    sign_in_busy Many people are signing in now. Try again in a few seconds.
    passkeys_not_here Passkeys do not work at this address. Use your password.
    too_many_passkeys Too many passkeys: remove one first.
    unknown_passkey This passkey was removed already.
    unknown_phone_verification This code is no longer good. Ask for another.
    no_lab_message The lab has sent no message yet.
    push_endpoint_refused Your browser's message service cannot be used.
    push_key_invalid Your browser's message service cannot be used.
    unknown_push_subscription Messages were off already.
    unknown_offer This offer is no longer there. Choose another.
    unknown_session There is no such session of yours.
    illegal_transition The session has moved on meanwhile. Look again.
    fair_use_reached Your pass has reached its fair-use limit.
    too_many_pass_sessions Use up a session of your pass first, then download the next.
    esim_not_fresh This eSIM is in use. Take a new one.
    card_full Eight sessions are on this eSIM: no more fit. Use one up or give one back.
    profile_not_installed Install the eSIM first.
    packet_superseded A newer update for the eSIM is on its way.
    sessions_not_on_esim The order has changed meanwhile. Look again.
    session_is_for_another_esim This session is for another eSIM of yours.
    no_session_on_esim This eSIM holds no session now.
    wifi_unknown We cannot see now whether you are on WiFi. Try again in a moment.
    session_ended This session has ended.
    package_not_ready The session is being prepared. One moment.
    package_digest_mismatch The download was damaged. It is fetched again.
    not_cancellable This session has been used, so it cannot be given back.
    too_many_disputes We answer what you wrote first.
    unknown_esim There is no such eSIM of yours.
    esim_numbers_used_up No new eSIMs are left for now. We are getting more.
    illegal_profile_transition The eSIM has moved on meanwhile. Look again.
    sequence_numbers_used_up This eSIM is worn out. Take a new one.
    subscriber_keys_damaged Something went wrong on our side. Ask us.
    profile_not_ready The eSIM is being prepared. One moment.
    not_on_this_card This session's eSIM is not on this phone.
    phone_busy The phone is busy. One moment.
    lab_refused The lab phone refused it.
    no_waiting_list There is free data again: choose a session.
    database_busy Many people are here now. Try again in a moment.
    disk_full KSWiFi is short of space. Try again in half a minute.
    commit_unknown It is not sure whether this was done. It is tried again, and never done twice.
    database_damaged Something went wrong on our side. We are on it.
    line_frozen This line is stopped, because its phone was reported lost. Ask us.
    database_disk Something went wrong on our side. We are on it.

  help.
    title Help
    search Search
    found {n} answers
    none No answer has these words.
    what What is an internet session?
    what.text So much internet, until such a day. You download it on WiFi, it is stored on your eSIM, and it is used when you browse without WiFi.
    download Why is the download so small?
    download.text A signed permission of a few kilobytes. The gigabytes themselves flow when you browse.
    activate How do I switch it on without WiFi?
    activate.text Open the session and follow the steps for your phone: switch the KSWiFi line on and use it for mobile data.
    phone Does it work on every phone?
    phone.text You need a phone with eSIM: look under Can this phone? Phones take eSIMs only from certified operators.
    metered What is counted?
    metered.text Every byte both ways. 1 GB is 1,000,000,000 bytes. What you see is what the network reported.
    end What happens at the end?
    end.text The network cuts the line at the last byte. Choose the next session, or get one on WiFi.
    pause Can I pause?
    pause.text Yes, in the session. The line is held until you continue. The last day stays the same.
    offline What works offline?
    offline.text Your sessions, what is left, how to switch the line on, this help. What you ask for is sent later.
    several Can I keep several sessions?
    several.text Yes, up to eight on an eSIM. Under eSIM you change their order, and whether the next one follows by itself.
    gift Can I give data to somebody?
    gift.text Yes: open a stored session and choose Give some away. Send the link; who claims it stores it on an eSIM.
    auto Can my next session come by itself?
    auto.text Yes, on WiFi: under You, Download by itself.
    pass How do I buy the pass?
    pass.text Choose Unlimited, see what it gives, and pay at the checkout.
    alerts Am I told before it runs out?
    alerts.text At 50, 80 and 95 %, at the end, and a day before it ends. Under You: alerts, also when the app is closed.
    lost I lost my phone or password
    lost.text Sign in elsewhere with your recovery code and a new password: every other device is signed out. Then open the session and choose New or lost phone.
    passkey What is a passkey?
    passkey.text Your fingerprint, face or screen lock signs you in, without a password. Add one under You.
    trust How do I know a session is real?
    trust.text It is signed with KSWiFi's key, and your phone checks the signature itself. A changed session is refused.
    data How do I save data?
    data.text Low-data mode under You makes the app ask less often. The app is loaded once.
    install How do I install the eSIM?
    install.text Open the session and press Install the eSIM: one tap, a QR code or a code to type, with steps for Tecno, Infinix, itel, Samsung, Xiaomi and iPhone.
    ate What ate my data?
    ate.text Mostly updates, WhatsApp media, and videos that play by themselves. Turn on Data Saver, and update apps on WiFi only. The history shows the hours.
    portal WiFi is on, but nothing loads
    portal.text Many WiFis want a login first. Open your phone's WiFi settings, choose the network and log in. What you asked for then goes on by itself.

  ordering.
    title Waiting for an answer.
    lead Your order of {since} is sent again by itself, and only one session is made.

  remind.
    button Remind me in my calendar
    event KSWiFi: free data is back

  usage.
    title My use

  standing.
    title Download by itself

  limits.
    title Pause and daily limit

  gifts.
    title Gifts
    give Give some away

  new_esim.
    next Your next session goes onto a new eSIM.
    undo Keep the old one
    title New or lost phone, or eSIM deleted?
    button Give back and use a new eSIM

  refused.
    title Your phone refused the eSIM
    lead Nothing is lost. Try again on good WiFi, or give the session back: your free data comes back with it.
    again Try again

  outcome.
    title What did your phone say?
    worked It worked
    refused It was refused
    deleted I deleted the eSIM, or have a new phone
    not_yet_lead We have not heard from your phone yet. Leave it on WiFi for a minute. If nothing changes, turn the eSIM on once in Settings.
    refused_lead Is the phone on WiFi, its clock right, and room left for another eSIM? Then it does not accept this operator: give the session back.
    deleted_lead A deleted eSIM cannot be installed again. Give this session back and download it onto a new eSIM.

  guide.
    title Steps for your phone
    differs Menus differ a little between models and versions.
    picture Where the menu is

  check.
    title Before you switch on
    lead A gigabyte can vanish into updates within an hour. Tick off:
    saver Data Saver is on
    updates App and system updates only on WiFi
    whatsapp WhatsApp downloads media only on WiFi
    other_sim The other SIM's mobile data is off

  test.
    title Does it work?
    lead Turn WiFi off, open any page, then test.
    button Test now
    running Testing…
    works It works: the network reports data of this session.
    wifi You are on WiFi. Turn WiFi off, and test again.
    other_line You have internet, but not from this session: your other SIM gives it. Set mobile data to KSWiFi.
    no_data No data flows. Check that the KSWiFi line is on, used for mobile data, with roaming on and the APN as shown.

  step.
    ordered Ordered
    downloaded Downloaded to this phone
    stored Stored on the eSIM
    active In use
    paused Paused
    exhausted Used up
    expired Expired
    revoked Ended by the operator
    cancelled Cancelled
    refunded Refunded
    failed Did not work
    refused The eSIM did not take it

  door.
    title This window forgets everything.
    lead It belongs to another app or to the WiFi's login. Your sessions and your recovery code would be lost here. Open KSWiFi in your browser.
    link the link
    chrome Open in Chrome
    safari Open in Safari

  app.
    title KSWiFi on your home screen
    lead It opens at one tap, also offline, and your phone keeps its data longer.
    apple In Safari press Share, then Add to Home Screen. Then it opens offline and keeps its data longer.
    button Install the app

  trouble.
    full Your phone has no space left. The app forgets what is new when you close it. Free some space.
    closed Your browser lets the app keep nothing: a private window, perhaps. It forgets all when you close it.
    portal This WiFi wants you to log in first.
    portal_lead Open your phone's WiFi settings, choose this network and log in. What you asked for goes on by itself then.

  support.
    title Ask a person
    whatsapp WhatsApp
    phone Call
    email Email
    number Case number {number}
    about KSWiFi, case number {number}
    hello KSWiFi

  device.
    title Can this phone?
    teaser Check for eSIM before you sign up
`;
