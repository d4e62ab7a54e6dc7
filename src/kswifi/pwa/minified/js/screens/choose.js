/*652eae8c6dee9e1af58af81711a2cec0c87d24363412608a43a5f982d93c9f16*/
import{change as J,Problem as K,read as L}from"../api.js";import{formatNaira as z,formatOctets as k,lastDay as Q,sizeName as U}from"../format.js";import{t as s}from"../i18n.js";import{SessionManager as I}from"../road.js";import{useEffect as V,useState as p}from"../state.js";import{connection as X,free as Y,offers as u,pass as Z,reachable as E,words as y}from"../store.js";import{Heading as ee,html as a,Icon as H,Insecure as se,Note as h,Size as oe}from"../ui.js";const ae=o=>Q(new Date(new Date().setHours(24,0,0,0)).getTime()+o.valid_days*864e5),te=o=>y(new K(409,o.code,o.words));function ne({offer:o,chosen:n,choose:l,over:i}){const r=o.price_kobo===0;return a`<label class="pick"><input
type="radio"
name="offer"
value=${o.id}
checked=${n}
disabled=${!!i}
onChange=${l}
aria-label=${o.title}
aria-describedby=${`about-${o.id}`}
/><span class="pass"><span class="row between"><span class="grow"><${oe} octets=${o.allowance_octets} /></span><span class=${`badge ${r?"line":""}`}>${r?s("badge.free"):s("badge.unlimited")}</span><span class="tick"><${H} name="check" /></span></span><span class="small soft" id=${`about-${o.id}`}>${r?"":`${z(o.price_kobo)} · `}
${i||s("until",{day:ae(o)})}</span></span></label>`}const q=({title:o,offers:n,chosen:l,choose:i,over:r})=>n.length>0&&a`<fieldset class="stack"><legend style="margin-bottom:.75rem"><h2>${o}</h2></legend>${n.map(c=>a`<${ne}
key=${c.id}
offer=${c}
chosen=${l===c.id}
choose=${()=>i(c.id)}
over=${r(c)}
/>`)}</fieldset>`;function ie(){const o=Y.value,n=o?.left_octets??1/0,l=!!Z.value?.active,[i,r]=p({}),[c,A]=p(!1),[g,G]=p(0),_=e=>{A(e.waiting),G(e.tranche_octets),r(Object.fromEntries(e.offers.filter($=>$.refusal).map($=>[$.offer_id,$.refusal])))};V(()=>{L("/api/v1/free-data").then(_,()=>{})},[]);const f=e=>{if(l||e.price_kobo>0)return"";const $=i[e.id];return $?te($):(e.allowance_octets??0)>n?s("choose.over"):""},M=u.value.filter(e=>e.price_kobo===0&&!f(e)),j=Object.entries(i).find(([,e])=>e.do==="join_waiting_list"),b=Object.values(i).find(e=>/verify|redeem/.test(e.do))?.do,[R,C]=p(""),m=R||(M.at(-1)?.id??""),[w,T]=p(!1),[W,S]=p(!1),[B,v]=p(""),t=u.value.find(e=>e.id===m),d=X.value,D=d==="unknown"||d==="mobile",O=!!(t&&t.price_kobo>0&&!l),x=!!(t&&!f(t))&&E.value&&d!=="line"&&d!=="offline"&&(!D||w)&&!W&&isSecureContext;async function F(){if(!(!t||!x)){S(!0),v("");try{const e=await I.startSessionDownload(t.allowance_octets);I.showDownloadProgress(e.session_id)}catch(e){v(y(e)),S(!1)}}}const N=u.value.filter(e=>e.price_kobo===0),P=u.value.filter(e=>e.price_kobo>0);return a`
<${ee} title=${s("choose.title")} lead=${s("home.lead")} />${o&&a`<div class="card"><div class="row between wrap"><b>${s("choose.allowance")}</b><span class="num">${s("choose.left",{left:k(n),all:k(o.octets)})}</span></div><div class="gauge" aria-hidden="true"><i style=${{width:`${n/o.octets*100}%`}}></i></div></div>`}<${q} title=${s("choose.free",{days:N[0]?.valid_days??0})} offers=${N} chosen=${m} choose=${C} over=${f} />${g>0&&a`<p class="small soft">${s("choose.parts",{part:k(g)})}</p>`}<${q} title=${s("choose.paid",{days:P[0]?.valid_days??0})} offers=${P} chosen=${m} choose=${C} over=${f} />${!b&&a`<a class="btn plain" style="justify-self:start" href="#/free">${s("free.have")}</a>`}
${j&&a`
<${h} icon="clock" live>${s(c?"wait.joined":"wait.lead")}<//>${!c&&a`<button
class="btn quiet wide"
disabled=${!E.value}
onClick=${()=>J("/api/v1/free-data/waiting",{offer_id:j[0]}).then(_,e=>v(y(e)))}
>${s("wait.join")}</button>`}
`}<${se} />${d==="line"&&a`<${h} kind="warning" icon="wifi" live>${s("choose.not_wifi")}<//>`}
${d==="offline"&&a`<${h} kind="warning" icon="noline" live>${s("choose.offline")}<//>`}
${D&&!O&&a`<label class="item card" style="display:flex"><input class="switch" type="checkbox" role="switch" checked=${w} onChange=${()=>T(!w)} /><span class="grow">${s(d==="mobile"?"choose.mobile":"choose.ask")}</span></label>`}
${B&&a`<${h} kind="error" live>${B}<//>`}<div class="act stick">${O?a`
<a class="btn wide" href="#/pass">${s("pass.buy",{price:z(t?.price_kobo??0)})}</a><p class="small soft centre">${s("pass.see")}</p>
`:b&&!t&&!l?a`<a class="btn wide" href="#/free">${s(`free.${b}`)}</a>`:a`
<button class="btn wide" disabled=${!x} onClick=${F}><${H} name="down" />${s("choose.button")}</button><p class="small soft centre">${t?s("choose.tiny",{size:U(t.allowance_octets)}):s("choose.pick")}</p>
`}</div>
`}export{ie as default};
