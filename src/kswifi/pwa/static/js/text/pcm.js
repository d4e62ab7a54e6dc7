// The texts of the app in Nigerian Pidgin (Naijá), with the keys of English in the same order.
export default `
  back Go back
  cancel Cancel am
  close Close
  pause Hold am
  resume Continue
  copied E don copy
  copy Copy {what}
  left remain
  used don use
  of out of {size}
  until Till {day}
  as_of As e be {age}.
  again Try again

  nav.
    label Main
    home Home
    esim eSIM
    help Help
    settings You
    skip Jump go the main tin

  connection.
    wifi WiFi
    line Your session
    mobile Mobile data
    offline No network
    unknown Online
    control Only KSWiFi

  time.
    now now now
    moment no reach one minute
    ago {time} don pass
    minutes {n} min
    hours {n} hours
    days {n} days

  size.
    unlimited No limit
    session {size} session
    a_session One session

  state.
    ordered We dey prepare am
    packaged Ready to download
    downloading E dey download
    downloaded E don enter this phone
    transferring E dey enter eSIM
    stored E dey inside eSIM
    active Session dey active
    paused E dey on hold
    exhausted E don finish
    expired Time don pass
    revoked Dem end am
    failed E no work

  home.
    title Your internet
    download Download Internet Session
    lead Download internet session for WiFi, use am later when WiFi no dey
    empty No session yet
    under_way E dey come
    stored Session wey you keep
    recent Wetin happen
    details See everything

  paused.
    here on hold

  stored.
    badge READY

  intent.
    badge DEY WAIT FOR NETWORK
    title E dey wait for network.
    lead You ask for am {since}. We go send am by itself once network answer, till {until}.
    sent We don send am. Network never confirm am yet.
    now Send am now
    undo Cancel am
    dropped Wetin you ask for no get answer for one day, so we drop am. Ask again if you still want am.

  meter.
    label {left} remain out of {all}
    used You don use {size}

  fact.
    time_left Time wey remain
    pace As you dey use am
    lasts e go reach the end
    as_of As e be

  offline.
    note Network no dey. Wetin you keep still dey work.

  finished.
    title Session don finish: go back to WiFi
    lead Find WiFi make you download another one.
    next Choose the next one wey you keep, or find WiFi download another.

  venues.
    title Free WiFi near you
    lead E dey inside this phone, for when your data don finish.
    search Name or area
    none The operator never talk any place. Café, school and shop often get WiFi.
    link Places wey get free WiFi

  welcome.
    title WiFi now. Internet later.
    1 Download
    1.more For WiFi. Session na small kilobytes.
    2 Keep am
    2.more E go enter your eSIM, with signature.
    3 Browse
    3.more Far from WiFi, till e finish.

  choose.
    title Choose your session
    button Download Session
    allowance Free data
    left {left} remain out of {all}
    free Free • {days} days
    paid No limit • {days} days
    over E pass the free data wey remain
    parts We go give am part by part, {part} each: as you use one, the next one go come, as long as money dey for free data.
    pick Pick one.
    tiny {size}: na only few KB you go download now
    not_wifi You no dey for WiFi. If you download now e go chop the session wey you dey use.
    ask You dey for WiFi? For mobile data the download go chop few KB.
    mobile Na mobile data you dey use. The download go chop few KB.
    offline This phone no get network. Find WiFi to download.
    ask_yes Yes, download am
    ask_no No be now
    mobile_yes Download am still

  badge.
    free FREE
    unlimited NO LIMIT

  free.
    nothing WiFi place give you voucher? The code fit bring one free session.
    phone For here free session need phone number wey be your own.
    voucher For here free session need voucher from WiFi place.
    phone_or_voucher For here free session need phone number wey be your own, or voucher from WiFi place.
    verify_phone Verify my phone number
    redeem_voucher Put voucher
    verify_phone_or_redeem_voucher Phone number or voucher
    have I get voucher

  voucher.
    title Voucher
    good Voucher from {venue} na your own: choose session.

  ask.
    voucher Voucher code
    voucher.hint As dem print am, like 0003-7QK2-M9XT
    voucher.button Use Voucher
    number Phone number
    number.hint We go send six numbers go there.
    number.button Send Me Code
    code The code
    code.hint Six numbers, for ten minutes and five tries
    code.button Verify

  phone.
    title Your phone number
    verified We don verify your phone number.
    sending The code dey go {number}…
    sent We don send the code go {number}.
    unknown Nobody know whether the code reach {number}. If e no come, ask for another.
    refused Message no fit reach this number.
    again Ask for another code

  pass.
    title Unlimited pass
    buy Buy am for {price}
    see First you go see wetin e get, then you pay.

  wait.
    lead Free data don finish for now. We fit tell you when e come again.
    join Tell me when e dey
    joined You dey the waiting list: we go tell you.
    until Free data go dey again {at}.

  progress.
    downloading {size} session dey download…
    downloaded {size} session don download
    octets {received} out of {total}
    transferring E dey enter eSIM…
    transfer_lead The eSIM dey keep the session and confirm am.
    proved Your eSIM don confirm say e get this session.
    ready Session ready make you activate am
    install Your session don download. Install the eSIM for your phone to continue.
    small Wetin you dey download now small: {octets}. The data go flow later, when you browse.
    waiting We dey wait for your phone
    paused Download of {size} dey on hold
    elsewhere Another window of this app dey do am. This one go continue when you close that one.
    few few KB

  seal.
    ok This phone don check the signature
    bad No trust this session
    key key {kid}

  activate.
    title E ready any time
    lead From here you no need WiFi.
    button Activate Session
    install Install the eSIM
    none Nothing dey to activate yet
    system Your phone type
    offline E dey work without network: your line go find our own.

  active.
    title Session dey active
    lead Na network report am {age}.

  line.
    title Your line
    on Line dey on.
    on_lead Session go active as soon as data begin flow.
    used_up Your last session don finish.
    starts_stored This one go start by itself once e dey the eSIM. If you get am before the last one finish, activate am.
    needs_activation Activate this one before you comot from the WiFi.

  system.
    android Android
    ios iPhone

  how.
    title On the line
    android Open Settings, then Network & internet, then SIMs | Choose KSWiFi, on Use SIM | Set Mobile data to KSWiFi | On Roaming for KSWiFi if data no flow
    ios Open Settings, then Mobile Service | Choose KSWiFi, on Turn On This Line | Set Mobile Data to KSWiFi, and on Data Roaming
    offline These steps dey inside your phone: you go see am even without network.

  install.
    title Install for this phone
    lead One tap, your phone go ask whether make e add KSWiFi.
    one_tap Install for {system}
    wifi To install need WiFi, to on am no need.
    qr Or scan am from another screen
    qr_lead Sign in for another device, open this page there, scan am with this phone camera.
    qr_alt QR code wey dey install the eSIM
    manual Set am up by hand
    smdp_address SM-DP+ address
    activation_code Matching ID
    apn APN
    user_name User name
    password Password
    honest Phone dey take eSIM only from certified operator. If your own no gree, return the session: nothing go lost.
    manual_lead Phone wey ask for one code dey take the whole code. Phone wey ask for two dey take the address and the matching ID.
    whole_code The whole code (LPA)
    waiting Nothing never reach the eSIM. This page go change by itself when your phone start.
    fetching Your phone don fetch the eSIM, e dey install am.

  session.
    unknown That session no dey here
    waits The next part of this session go come by itself, once money dey for free data again.
    pause Hold Session
    continue Continue Session
    give_back Return am
    seen Wetin happen
    terms Terms
    failed This session no work, and we no take anything. Download another one, or ask us.

  statement.
    title How you use am
    hour By hour
    day By day
    when When
    dispute Something no correct?
    dispute_lead Na wetin network report be this, hour by hour. Write wetin no correct: we go answer here.
    save Save the statement
    week By week
    week_of Week of {day}

  dispute.
    all Everything
    words Wetin no correct?
    send Send am
    said You write, {at}:

  receipt.
    title Receipt
    size How much
    used You don use
    ordered You order am
    until Till
    proof Who confirm am
    iccid eSIM (ICCID)
    key Who sign am
    id Number
    units 1 GB na 1,000,000,000 bytes, we dey count go and come.

  proof.
    por the eSIM
    install_result the eSIM
    provider_status the provider

  esim.
    title Sessions for this eSIM
    lead You go use am from top go down.
    empty Nothing dey inside now
    up Up: {what}
    down Down: {what}
    place Number {n} for the order
    waits E never enter eSIM: we go carry am go there when WiFi dey.
    off This eSIM dey off. On am under SIMs for phone settings; then we go update am.
    next Continue with the next
    next_hint When one finish, e no go ask
    lab Open the lab phone
    ended Wey don end

  account.
    in You don come back
    in.lead Sign in make you see your sessions.
    in.button Sign In
    new Open your account
    new.lead Na only phone number or email.
    new.button Sign Up
    recover Get your account back
    recover.lead With the recovery code wey you write down.
    recover.button Set New Password
    sign_in Sign in
    sign_up Open account
    forgot You forget password?
    show Show wetin I dey type
    offline Network no dey now. You fit fill the form; press again when network come.
    in.passkey Sign In with Passkey
    new.passkey Sign Up with Passkey
    signed_out You don sign out. Sign in again: your sessions dey.
    code Sign in with code wey una go send me

  field.
    identifier Phone number or email
    identifier.hint Like 0803 123 4567
    password Password
    password.hint The one wey you choose
    password.new 12 letters or more. Three words good.
    new_password New password
    new_password.hint 12 letters or more. Three words good.
    recovery_code Recovery code
    recovery_code.hint Six groups of four

  recovery.
    title Write this one down
    lead If you forget password, na this recovery code go carry you enter. E dey replace any old code.
    once We dey show am only this once. You fit get new one for inside You.
    done I don write am

  passkey.
    why Your finger, face or screen lock go open am. No password to remember.
    not_used You no use any passkey. Try again, or use your password.

  settings.
    title You
    theme How e look
    language Language
    low_data Save data
    low_data_hint E go ask once every minute, e no go dey listen all the time
    alerts Alerts
    alerts_hint For 50, 80, 95 and 100 %, and before session end
    alerts_denied Your browser no gree make KSWiFi show notification.
    insecure This page open without HTTPS. For here e no fit install, work offline or check session signature, so nothing go download.
    push Even when app close
    push_hint Your browser notification. E dey off till you on am.
    sign_out Sign out
    sure You wan sign out for this device?
    sure_lead We go wipe everything wey be your own. Wetin dey eSIM go remain.
    sure_offline Network no dey: the server go know later by itself.
    stay Make I stay

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
    ask Make we message you before e finish?
    yes Message me
    on We go message you, even when app close.

  about.
    title Wetin dey where
    lead KSWiFi no dey ask anybody anything: no tracker, no other site.
    device This device
    device.what The app, your sessions with their signature, and wetin you ask for when network no dey.
    card The eSIM
    card.what Each session wey you keep, and the keys of the line.
    server KSWiFi
    server.what Your phone number or email, and how much you don use. Never wetin you dey look.
    held {size} dey this device

  alert.
    share You don use {percent} % of your {size} session
    ends Your {size} session go end {day}
    finished Session don finish: go back to WiFi
    gift_received {size} wey person dash you don enter your eSIM
    gift_claimed Person don collect your gift of {size}
    gift_returned Your gift of {size} don come back to you
    move_asked Person wan move your eSIM. Na you?
    session_due Your next {size} ready: tap for WiFi
    limit_reached Limit wey you set for today don reach
    security Your account sign-in change, or new device don sign in. Na you?

  update.
    ready New version don land.
    reload Take am

  problem.
    unexpected Something spoil here. Try again.
    offline Network no answer. Try again, or wait: wetin don start go continue by itself.
    no_lab_phone The lab phone no answer.
    card_refused The eSIM never collect am yet. We go try again.
    es9_unreachable The profile server never answer yet.
    payments_not_set_up Payment never dey, so you no fit get this one yet. We no take anything.
    free_allowance_used_up E pass wetin remain for your free data
    device_allowance_used_up This device don collect im free data
    card_allowance_used_up This eSIM don collect im free data
    too_much_unspent Use some of wetin you get first
    free_budget_gone Free data don finish for now
    free_data_stopped Free data dey on hold for now
    free_data_not_started Free data never start yet
    account_held Free data dey on hold: call support
    free_data_cooling_down Small time: you just collect one
    phone_not_verified Verify your phone number first
    voucher_needed You need voucher from WiFi place first
    phone_or_voucher_needed You need verified phone number or voucher first
    kyc_level_too_low The operator must know who you be first
    free_offer_not_given Dem no dey give this one free for here
    unknown_voucher No be our voucher be this: check am one by one.
    voucher_used Dem don use this voucher: na one time each.
    voucher_expired Time of this voucher don pass: ask for another for counter.
    voucher_revoked Dem don call this voucher back: ask for another for counter.
    too_many_attempts You don try too much: wait fifteen minutes.
    not_a_phone_number Code no fit go there: na mobile number be this?
    phone_code_wrong No be the code be this. Tries wey remain: {tries_left}
    phone_code_over This code no good again: ask for another.
    phone_verified_elsewhere Another account don verify this number.
    phone_verification_not_set_up Message never dey go out from here.
    payment_required This one need pass.
    not_on_wifi You no dey for WiFi: if you download now e go chop the session wey you dey use.
    not_a_package This one no be session.
    package_version_unknown This session need newer app.
    package_cut_short Part of the session no dey: download am again.
    package_surplus_octets Dem don change the session: something wey no suppose dey dey inside.
    package_manifest_damaged Dem change the session after we sign am. We no gree take am.
    package_chunk_damaged Dem change part of the session. We no gree take am.
    package_unknown_key No be this KSWiFi sign the session. We no gree take am.
    package_for_another_card This session na for another eSIM.
    package_for_another_session No be the session wey we ask for be this.
    package_expired Time of this session don pass.
    internal_error Something spoil for our side.
    passkey_refused This passkey no open any account here.
    passkey_challenge_over E don tay. Try again.
    other E no gree. If e continue, tell us this word: {code}
    captive_portal This WiFi want make you log in first. Open WiFi settings for your phone.
    host_not_allowed This KSWiFi address no dey work. Open am with the correct address.
    origin_not_allowed Open KSWiFi with the correct address.
    csrf_token_wrong Your sign-in don change. Load the page again.
    headers_too_large Your browser send too much. Clear the cookies for this page.
    body_too_large E too long. Make am short.
    unsupported_media_type This app don old. Load the page again.
    range_not_satisfiable The download don change. Start am again.
    idempotency_key_missing This app don old. Load the page again.
    idempotency_key_invalid This app don old. Load the page again.
    idempotency_key_reused You don ask for this one another way. Try again.
    request_in_flight We dey work on am. Wait small.
    request_took_too_long E dey take time. We go try again.
    too_many_streams KSWiFi windows too plenty. Close one.
    last_event_id_invalid Load the page again.
    page_cursor_invalid The list don change. Reload the page.
    not_ready KSWiFi dey start. Try again small time.
    invalid_identifier No be phone number or email be this. Write am like 0803 123 4567 or ada@example.ng.
    invalid_number One of the numbers no correct. Check am.
    invalid_request Something wey you type no fit work. Check say e no empty and e no too long.
    malformed_json This app don old. Load the page again.
    malformed_request This app don old. Load the page again.
    not_found Nothing dey this address.
    method_not_allowed This app don old. Load the page again.
    weak_password This password too easy. Use 12 letters or more: three words good.
    already_registered This number or address get account already. Sign in, or use your recovery code.
    wrong_credentials Phone number, email or password no correct.
    wrong_recovery_code Phone number, email or recovery code no correct.
    not_signed_in Sign in first.
    login_expired Your sign-in don end. Sign in again.
    sign_in_busy Plenty people dey sign in now. Try again small time.
    passkeys_not_here Passkey no dey work for this address. Use your password.
    too_many_passkeys Your passkeys don reach the limit. Comot one first.
    unknown_passkey This passkey don comot already.
    unknown_phone_verification This code no good again. Ask for another.
    no_lab_message The lab never send message.
    push_endpoint_refused Your browser message service no fit work.
    push_key_invalid Your browser message service no fit work.
    unknown_push_subscription Message don dey off already.
    unknown_offer This offer no dey again. Choose another.
    unknown_session You no get that session.
    illegal_transition The session don move. Look again.
    fair_use_reached Your pass don reach the fair-use limit.
    too_many_pass_sessions Finish one session of your pass first, then download another.
    esim_not_fresh This eSIM dey in use. Take new one.
    card_full Eight sessions dey this eSIM: no space again. Finish one or return one.
    profile_not_installed Install the eSIM first.
    packet_superseded Newer update for the eSIM dey come.
    sessions_not_on_esim The order don change. Look again.
    session_is_for_another_esim This session na for another eSIM of yours.
    no_session_on_esim This eSIM no get session now.
    wifi_unknown We no fit see now whether you dey WiFi. Try again small time.
    session_ended This session don end.
    package_not_ready We dey prepare the session. Wait small.
    package_digest_mismatch The download spoil. We go fetch am again.
    not_cancellable You don use from this session, so you no fit return am.
    too_many_disputes We go answer wetin you don write first.
    unknown_esim You no get that eSIM.
    esim_numbers_used_up New eSIM don finish for now. We dey get more.
    illegal_profile_transition The eSIM don move. Look again.
    sequence_numbers_used_up This eSIM don old. Take new one.
    subscriber_keys_damaged Something spoil for our side. Ask us.
    profile_not_ready We dey prepare the eSIM. Wait small.
    not_on_this_card The eSIM of this session no dey this phone.
    phone_busy The phone dey busy. Wait small.
    lab_refused The lab phone no gree.
    no_waiting_list Free data don come back: choose session.
    database_busy Plenty people dey here now. Try again small time.
    disk_full Space don finish for our side. Try again small time.
    commit_unknown We no sure say e don do. We dey try am again, e no go do two times.
    database_damaged Something spoil for our side. We dey repair am.
    line_frozen We don stop this line, because dem report say the phone loss. Ask us.
    database_disk Something spoil for our side. We dey repair am.

  help.
    title Help
    search Search
    found {n} answers
    none No answer get these words.
    what Wetin be internet session?
    what.text Some internet, till one day. You download am for WiFi, e go stay inside your eSIM, you go use am when WiFi no dey.
    download Why the download small like this?
    download.text You dey download the signed permission to use the gigabytes, na few kilobytes. The gigabytes dey flow when you browse.
    activate How I go on am without WiFi?
    activate.text Open the session, follow the steps for your phone: on the KSWiFi line, use am for mobile data.
    phone E dey work for every phone?
    phone.text You need phone wey get eSIM: look This phone fit? Phone dey take eSIM only from certified operator, so test set-up of KSWiFi fit no work.
    metered Wetin una dey count?
    metered.text Every byte, go and come. 1 GB na 1,000,000,000 bytes. Wetin you see na wetin network report, with the time.
    end Wetin go happen for the end?
    end.text Network go cut the line for the last byte. KSWiFi itself go still open where network fit do am, make you choose the next one.
    pause I fit hold am?
    pause.text Yes, inside the session. Line go wait till you continue. The last day no go change.
    offline Wetin dey work without network?
    offline.text To see your sessions and wetin remain, with how old the news be; to check signature; the steps to on the line; this help. Wetin you ask for, we go keep am send later.
    several I fit keep plenty sessions?
    several.text Yes, reach eight for one eSIM. For eSIM you go change dem order, and choose whether the next one go follow by itself. We go update the eSIM for WiFi.
    gift I fit give person data?
    gift.text Yes: open session wey you store, choose Give person some. Send the link; who collect am go store am for eSIM.
    auto My next session fit come by itself?
    auto.text Yes, for WiFi: for You, Download by itself.
    pass How I go buy the pass?
    pass.text Choose No limit, see wetin e get, pay for the checkout. Receipt dey there.
    alerts Una go tell me before e finish?
    alerts.text For 50, 80 and 95 %, when e finish, and one day before e end. For inside You: alerts, even when app close.
    lost My phone or password don lost
    lost.text Sign in for another place with your recovery code and new password: every other device go sign out. Open the session, choose New phone, lost phone to move wetin you never use go new eSIM.
    passkey Wetin be passkey?
    passkey.text Your finger, face or screen lock go sign you in, no password. Add am for inside You.
    trust How I go know say session real?
    trust.text KSWiFi key sign am, and your phone dey check the signature by itself. If dem change am, we no go take am.
    data How I go save data?
    data.text Save data for inside You go make the app ask small. The app load only once.
    install How I go install the eSIM?
    install.text Open the session, press Install the eSIM. One tap, QR code and code to type dey there, with steps for Tecno, Infinix, itel, Samsung, Xiaomi and iPhone.
    ate Wetin chop my data?
    ate.text Na mostly update, WhatsApp media, and video wey dey play by itself. On Data Saver, make app update only for WiFi, and look Settings, Network, Data usage: e go show each app. History for the session dey show the hours.
    portal WiFi dey on, but nothing dey load
    portal.text Plenty WiFi want login first. Open WiFi settings for your phone, choose the network, log in. Then come back: wetin you ask for go continue by itself.

  ordering.
    title We dey wait for answer.
    lead We dey send your order of {since} again by itself, and na only one session go come.

  remind.
    button Remind me for my calendar
    event KSWiFi: free data don come back

  usage.
    title My use

  standing.
    title Download by itself

  limits.
    title Pause and daily limit

  gifts.
    title Gifts
    give Give person some

  new_esim.
    next Your next session go enter new eSIM.
    undo Keep the old one
    title New phone, lost phone, or eSIM don delete?
    button Return am, use new eSIM

  refused.
    title Your phone no gree take the eSIM
    lead Nothing lost. Try again for good WiFi, or return the session: your free data go come back.
    again Try again

  outcome.
    title Wetin your phone talk?
    worked E work
    refused E no gree
    deleted I don delete the eSIM, or I get new phone
    not_yet_lead We never hear from your phone. Leave am for WiFi one minute: e go report by itself. If nothing change, on the eSIM once for Settings.
    refused_lead Check three things: phone dey WiFi, the time correct, and space dey for another eSIM. If e still no gree, e no dey accept this operator. Then return the session.
    deleted_lead eSIM wey you delete no fit install again. Return this session and download am for new eSIM.

  guide.
    title Steps for your phone
    differs Menu dey differ small from model to model.
    picture Where the menu dey

  check.
    title Before you on am
    lead One gigabyte fit vanish inside update for one hour. Mark am:
    saver Data Saver dey on
    updates App and system update only for WiFi
    whatsapp WhatsApp dey download media only for WiFi
    other_sim Mobile data of the other SIM dey off

  test.
    title E dey work?
    lead Off WiFi, open any page, then test am.
    button Test am now
    running We dey test…
    works E dey work: network dey report data of this session.
    wifi You dey on WiFi. Off WiFi, test am again.
    other_line You get internet, but e no come from this session: na your other SIM dey give am. Set mobile data to KSWiFi.
    no_data Data no dey flow. Check say KSWiFi line dey on, na im you set for mobile data, roaming dey on, and APN correct.

  step.
    ordered You order am
    downloaded E don download enter phone
    stored E don enter eSIM
    active You dey use am
    paused E dey on hold
    exhausted E don finish
    expired Time don pass
    revoked Operator end am
    cancelled You cancel am
    refunded We don refund am
    failed E no work
    refused eSIM no gree take am

  door.
    title This window dey forget everything.
    lead Na another app or WiFi login get am. Your sessions and recovery code go lost here. Open KSWiFi for your browser.
    link the link
    chrome Open for Chrome
    safari Open for Safari

  app.
    title KSWiFi for your home screen
    lead E go open with one tap, even without network, and your phone go keep the data longer.
    apple For Safari press Share, then Add to Home Screen. Then e go open without network, and your phone go keep the data longer.
    button Install the app

  trouble.
    full Space don finish for your phone. The app dey work, but e go forget wetin new when you close am. Free some space.
    closed Your browser no gree make the app keep anything: maybe na private window. E dey work, but e go forget everything when you close am.
    portal This WiFi want make you log in first.
    portal_lead Open WiFi settings for your phone, choose this network, log in. Wetin you ask for go continue by itself.

  support.
    title Ask person
    whatsapp WhatsApp
    phone Call
    email Email
    number Case number {number}
    about KSWiFi, case number {number}
    hello KSWiFi

  device.
    title This phone fit?
    teaser Check eSIM before you sign up
`;
